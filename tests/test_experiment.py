import json
import math

import chex
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import experiment, training


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    return workdir, experiment.run(tiny.icm(), workdir, data=tiny.splits())


def test_summary_is_the_interface_that_other_programs_read(run):
    workdir, result = run
    summary = json.loads((workdir / "summary.json").read_text())
    assert summary == result.summary
    names = ["translate_right", "invert"]
    assert set(summary) == {
        *("system", "config", "seed", "phases", "specialization", "accuracy", "psnr"),
        *("psnr_transformed", "called_canonical", "variation", "kept", "image_shape", "judge"),
    }
    assert summary["called_canonical"] is None and summary["kept"] is None
    assert summary["image_shape"] == [12, 12, 1] and summary["judge"] == {"classes": 2}
    assert summary["system"] == "icm" and summary["seed"] == 0
    assert summary["config"]["experts"]["count"] == 2
    for phase, steps in (("initialization", 6), ("competition", 9)):
        assert summary["phases"][phase]["steps"] == steps
        assert summary["phases"][phase]["seconds"] > 0
        assert summary["phases"][phase]["compile_seconds"] > 0
    assert summary["specialization"]["mechanisms"] == names
    np.testing.assert_allclose(np.sum(summary["specialization"]["wins"], axis=1), 1.0)
    assert 0 <= summary["specialization"]["identified"] <= 2
    accuracy = summary["accuracy"]
    assert set(accuracy) == {"original", "transformed", "restored", "per_mechanism"}
    # Twelve test images, six for each mechanism: the whole is the mean of the two.
    for kind in ("transformed", "restored"):
        parts = [accuracy["per_mechanism"][name][kind] for name in names]
        np.testing.assert_allclose(np.mean(parts), accuracy[kind])
    assert set(summary["psnr"]) == set(names)


def test_what_a_run_leaves_behind(run):
    workdir, result = run
    figures = {path.stem for path in (workdir / "figures").glob("*.png")}
    assert figures == {"experts", "specialization", "losses", "accuracy", "scores"}
    page = (workdir / "report.html").read_text()
    assert f"<h1>{experiment.describe(result.summary)}</h1>" in page
    # The judge's phase is told as well.
    assert "classifier: classification" in page and "From Python" in page
    assert json.loads((workdir / "provenance.json").read_text())["seeds"] == [0]
    assert list((workdir / "tensorboard").iterdir())
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    training_steps = [r["step"] for r in records if "wins" in r]
    assert training_steps == [3, 6, 9]
    assert all(math.isclose(sum(r["wins"]), 1, rel_tol=1e-6) for r in records if "wins" in r)
    assert [r["step"] for r in records if "evaluation" in r] == [0, 4, 8, 9]


def test_a_finished_run_is_left_alone_and_can_be_evaluated_again(run):
    workdir, result = run
    before = (workdir / "metrics.jsonl").read_bytes()
    again = experiment.run(tiny.icm(), workdir, data=tiny.splits())
    assert again.finished_before and again.summary == result.summary
    (workdir / "summary.json").unlink()
    made = json.loads((workdir / "provenance.json").read_text()) | {"date": "2001-02-03"}
    (workdir / "provenance.json").write_text(json.dumps(made))
    evaluated = experiment.run(tiny.icm(), workdir, "evaluate", data=tiny.splits())
    assert evaluated.summary == result.summary
    assert (workdir / "metrics.jsonl").read_bytes() == before
    # How it was made is what it was when it was trained.
    assert "date: 2001-02-03" in (workdir / "report.html").read_text()


def test_another_config_is_refused(run):
    config = tiny.icm()
    config.experts.filters = 4
    with pytest.raises(training.WorkdirError, match="experts.filters: 3 there, 4 now"):
        experiment.run(config, run[0], data=tiny.splits())


def test_arrays_that_are_no_images_are_refused_before_any_work(tmp_path):
    train = tiny.splits().train
    data = tiny.splits()._replace(train=train._replace(images=train.images / 255))
    with pytest.raises(ValueError, match="^data.train.images: float64 .* it must be uint8"):
        experiment.run(tiny.icm(), tmp_path / "run", data=data)
    with pytest.raises(ValueError, match="^data: tuple is not allowed; images are icm_jax.Splits"):
        experiment.run(tiny.icm(), tmp_path / "run", data=tuple(map(tuple, tiny.splits())))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_other_data_are_refused(run, mode):
    train = tiny.splits().train
    other = train._replace(images=255 - train.images)
    for data in (tiny.splits()._replace(train=other), None):
        with pytest.raises(training.WorkdirError, match="was made with other data, or began"):
            experiment.run(tiny.icm(), run[0], mode, data=data)


@pytest.mark.slow
def test_the_same_config_gives_the_same_numbers_and_another_seed_others(run, tmp_path):
    workdir, result = run
    same = experiment.run(tiny.icm(), tmp_path / "same", data=tiny.splits())
    chex.assert_trees_all_equal(same.state, result.state)
    records = (workdir / "metrics.jsonl").read_bytes()
    assert (tmp_path / "same" / "metrics.jsonl").read_bytes() == records
    config = tiny.icm()
    config.seed = 1
    experiment.run(config, tmp_path / "other", data=tiny.splits())
    assert (tmp_path / "other" / "metrics.jsonl").read_bytes() != records


def test_a_batch_larger_than_the_data_is_refused_before_any_work(tmp_path):
    config = tiny.icm()
    config.batch_size = 21
    with pytest.raises(ValueError, match="batch_size: 21 is more than the 20 canonical images"):
        experiment.run(config, tmp_path / "run", data=tiny.splits())
    assert not (tmp_path / "run").exists()


def test_every_mechanism_needs_a_test_image(tmp_path):
    config = tiny.icm()
    config.evaluation.images = 1
    with pytest.raises(ValueError, match="evaluation.images: 1 test images are fewer than the 2"):
        experiment.run(config, tmp_path / "run", data=tiny.splits())


def test_padding_must_hold_the_images(tmp_path):
    config = tiny.icm()
    config.data.pad = 8
    with pytest.raises(ValueError, match="data.pad: 8 is less than the images' 12x12 pixels"):
        experiment.run(config, tmp_path / "run", data=tiny.splits())


def test_default_workdirs_differ_where_configs_do():
    config = tiny.icm()
    first = experiment.default_workdir(config, "mnist")
    assert first == experiment.default_workdir(tiny.icm(), "mnist")
    config.seed = 1
    assert first != experiment.default_workdir(config, "mnist")
