import json

import chex
import numpy as np
import pytest
from crashes import Crash, crashing
from systems.risk.regression import tiny

from icm_jax import experiment
from icm_jax.systems.risk.regression.build import build_seeds
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.progress import Progress

WRAPPERS = ("dropout", "histogram_vae")


def evaluated(workdir):
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [record["evaluation"] for record in records if "evaluation" in record]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    return workdir, experiment.run(tiny.regression(WRAPPERS), workdir, data=tiny.plane())


def test_a_run_comes_to_numbers_of_its_last_step(run):
    workdir, result = run
    summary = json.loads((workdir / "summary.json").read_text())
    assert (summary["data"], summary["splits"]) == ("plane", 2)
    assert list(summary["results"]) == list(WRAPPERS)
    at_step = evaluated(workdir)
    assert len(at_step) == 3  # before, after 2 and after 4 steps
    for row in WRAPPERS:
        each, found = summary["of_each_split"][row], summary["results"][row]
        for name in ("rmse", "nll"):
            np.testing.assert_allclose(found[name]["mean"], np.mean(each[name]))
            error = np.std(each[name], ddof=1) / np.sqrt(2)
            np.testing.assert_allclose(found[name]["error"], error)
            assert at_step[-1][f"{row} {name}"] == found[name]["mean"]
    assert {path.stem for path in (workdir / "figures").glob("*.png")} == {
        *("calibration", "sparsification", "along_training", "losses"),
    }
    assert experiment.describe(summary).startswith("plane, 2 splits: the least NLL has ")


def test_the_best_of_test_is_the_least_of_each_split_after_the_beginning(run):
    workdir, result = run
    summary = json.loads((workdir / "summary.json").read_text())
    for row in WRAPPERS:
        best = summary["best_of_test_along_training"][row]
        for name in ("rmse", "nll"):
            least = np.asarray(getattr(result.state.best[row], name))
            last = summary["of_each_split"][row][name]
            assert (least <= np.asarray(last) + 1e-6).all()
            np.testing.assert_allclose(best[name]["mean"], least.mean(), rtol=1e-6)
            after = [found[f"{row} {name}"] for found in evaluated(workdir)[1:]]
            # Of each split the least: no more than the least of the means.
            assert best[name]["mean"] <= min(after) + 1e-6


def test_banks_are_filled_before_the_last_evaluation(run):
    _, result = run
    bank = result.state.learners["histogram_vae"].variables["risk"]["histogram"]
    assert bank.count.tolist() == [16, 16] and np.asarray(bank.latents).any(axis=(1, 2)).all()


def test_a_run_goes_on_bit_for_bit(tmp_path, monkeypatch, run):
    for owner, name, at, after in [(Progress, "advance", 1, False), (Checkpoints, "save", 1, True)]:
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crashing(patch, owner, name, at, after)
            experiment.run(tiny.regression(WRAPPERS), tmp_path, data=tiny.plane())
    resumed = experiment.run(tiny.regression(WRAPPERS), tmp_path, data=tiny.plane())
    workdir, result = run
    chex.assert_trees_all_equal(resumed.state, result.state)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (workdir / "metrics.jsonl").read_bytes()


def test_seeds_share_a_table_and_have_cubics_of_their_own():
    config = tiny.regression(["plain"])
    first, second = build_seeds(config, tiny.plane(), [0, 1])
    assert not first.data and first.shared["train"] is second.shared["train"]
    first, second = build_seeds(config, None, [0, 1])
    assert not first.shared
    assert (first.data["train"].features != second.data["train"].features).any()


def test_the_cubic_is_measured_against_its_truth_and_drawn(tmp_path):
    config = tiny.regression(["mve", "density"])
    config.data.name, config.steps = "cubic", 0
    summary = experiment.run(config, tmp_path).summary
    assert set(summary["truth"]) == {"mve", "density"}
    assert summary["truth"]["mve"]["beyond_by_epistemic"] is None
    assert "best_of_test_along_training" not in summary
    assert (tmp_path / "figures" / "wrappers.png").exists()
