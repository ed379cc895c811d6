import json
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crashes import Crash, crashing
from systems.stable_features import tiny

from icm_jax import experiment
from icm_jax.study import tables
from icm_jax.systems.stable_features.build import build_seeds
from icm_jax.systems.stable_features.evaluation import numbers
from icm_jax.systems.stable_features.model import make_model
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.progress import Progress

METHODS = ("erm", "balanced", "group_dro", "irm", "oracle", "tofu")


def system(config, splits=None):
    return build_seeds(config, splits or tiny.quarters(), [config.seed])[0]


@pytest.mark.parametrize("method", METHODS)
def test_training_is_given_no_true_label(method):
    config = tiny.stable_features(method)
    config.data.label_noise = 0.0
    splits = tiny.quarters()
    before = system(config, splits).given
    assert all(leaf is not splits.train.labels for leaf in jax.tree.leaves(before))
    # All labels are wrong: where the true ones were there, given ones would show beside them.
    config.data.label_noise = 1.0
    after = system(config, splits).given
    for leaf in jax.tree.leaves(after):
        assert leaf.shape != splits.train.labels.shape or (leaf != splits.train.labels).any()
    assert (after["given"] != splits.train.labels).all()


def test_groups_are_what_each_method_may_know():
    data = {m: system(tiny.stable_features(m)).given for m in METHODS}
    for method, count in (
        ("erm", 1),
        ("oracle", 1),
        ("irm", 2),
        ("balanced", 16),
        ("group_dro", 16),
    ):
        assert len(data[method]["groups"].count) == count, method
    cells = data["balanced"]
    np.testing.assert_array_equal(cells["group"], 4 * cells["given"] + cells["channel"])
    trained = cells["groups"].index[: cells["groups"].count.sum()]
    assert not cells["held_out"][trained].any()
    assert 0 < cells["held_out"].sum() < 40
    assert "group" not in data["tofu"]
    assert "validation" not in cells


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (1 - 1e-9, r"holds out all \d+ train images of environment 0; choose less"),
        (1e-9, r"holds out none of \d+ train images; choose more"),
    ],
)
@pytest.mark.parametrize("method", ["erm", "tofu"])
def test_something_is_held_out_and_something_is_not(method, fraction, message):
    config = tiny.stable_features(method)
    config.selection.fraction = fraction
    with pytest.raises(ValueError, match=f"^selection.fraction: {fraction} {message}"):
        system(config)


def test_what_a_method_learns_from_is_looked_at_alone():
    config = tiny.stable_features("erm")
    config.data.task, config.selection.fraction = "transfer", 0.02
    for seed in range(40):
        config.seed = seed
        try:
            data = system(config).given
        except ValueError as error:
            assert "holds out none of 40 train images; choose more" in str(error)
        else:
            assert (data["held_out"] & (data["environment"] == 2)).any()


def test_irm_learns_from_the_source_too():
    config = tiny.stable_features("irm")
    config.data.task = "transfer"
    data = system(config).given
    assert len(data["groups"].count) == 3 and (data["group"] >= 0).all()
    config.method = "balanced"
    data = system(config).given
    assert ((data["group"] >= 0) == (data["environment"] == 2)).all()


def test_the_oracle_sees_no_channel():
    images = tiny.quarters().test.images[:3]
    for method, same in (("oracle", True), ("erm", False)):
        model = make_model(tiny.stable_features(method), 4, 4)
        parameters = jax.jit(model.init, static_argnums=1)(jax.random.key(0), (10, 10, 1))
        use = jax.jit(model.use)
        first, other = (use(parameters, images, jnp.full(3, channel)).logits for channel in (0, 1))
        assert bool((first == other).all()) == same


@pytest.mark.parametrize("method", ["erm", "group_dro", "irm"])
def test_steps_learn_and_trace_once(method):
    config = tiny.stable_features(method)
    config.data.label_noise = config.data.channel_noise = 0.0
    config.optimizer.learning_rate, config.optimizer.decay, config.shift = 1e-2, 0.0, 0
    config.irm.penalty = 1.0
    made = system(config)
    data = jax.tree.map(jnp.asarray, made.given)
    state = jax.jit(made.init)(jax.random.key(0))
    chex.clear_trace_counter()
    step = jax.jit(chex.assert_max_traces(made.phases[0].step, n=1))
    losses = []
    for i in range(25):
        state, metrics = step(state, data, jax.random.key(i))
        losses.append(float(metrics["loss"].total / metrics["loss"].count))
    # Before anything is learned four classes cost log 4.
    assert abs(losses[0] - np.log(4)) < 0.3 and np.mean(losses[-3:]) < 0.7
    assert state.steps == 25
    if method == "group_dro":
        assert abs(float(state.weights.sum()) - 1) < 1e-5 and state.weights.std() > 0


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    return workdir, experiment.run(tiny.stable_features(), workdir, data=tiny.quarters())


def test_summary_is_the_interface_that_other_programs_read(run):
    workdir, _ = run
    summary = json.loads((workdir / "summary.json").read_text())
    assert summary["system"] == "stable_features" and summary["method"] == "balanced"
    assert set(summary["accuracy"]) == {
        *("validation_given", "test_true", "worst_cell_true", "test_given"),
    }
    test = summary["test"]["true"]
    assert summary["accuracy"]["test_true"] == test["accuracy"]
    assert summary["accuracy"]["worst_cell_true"] == test["worst_cell"]["accuracy"]
    assert len(test["per_channel"]["accuracy"]) == 4 and test["loss"] > 0
    assert summary["selection"]["by"] == "worst group of a part of the training data"
    assert summary["selection"]["step"] in (2, 4)
    line = experiment.describe(summary)
    assert re.fullmatch(r"balanced: accuracy .*% validation, given labels; .* worst cell", line)


def test_a_study_is_told_accuracies_and_which_step_counts(run):
    workdir, _ = run
    summary = json.loads((workdir / "summary.json").read_text())
    found = numbers(summary, [])
    accuracy = summary["accuracy"]
    assert found == {
        "test accuracy, true labels": accuracy["test_true"],
        "accuracy in the worst cell": accuracy["worst_cell_true"],
        "test accuracy, given labels": accuracy["test_given"],
        "validation accuracy, given labels": accuracy["validation_given"],
        "step of the parameters": summary["selection"]["step"],
    }
    # Test images of a file have no given labels.
    del accuracy["test_given"]
    assert len(numbers(summary, [])) == 4
    # As percentages.
    head, (row,) = tables.compare([{"variant": "balanced", "seed": 0, **found}])
    cells = dict(zip(head, row, strict=True))
    assert all(cells[name].endswith("%") == ("accuracy" in name) for name in found)


def test_predictions_are_a_line_an_image(run):
    workdir, _ = run
    lines = (workdir / "test.txt").read_text().splitlines()
    # 64 test images, of which 16 are for validation.
    assert [line.split()[0] for line in lines] == [f"{i}.npy" for i in range(48)]
    predicted = np.array([int(line.split()[1]) for line in lines])
    summary = json.loads((workdir / "summary.json").read_text())
    right = (predicted == tiny.quarters().test.labels[16:]).mean()
    np.testing.assert_allclose(right, summary["accuracy"]["test_true"])


def test_figures_and_records(run):
    workdir, _ = run
    names = {path.stem for path in (workdir / "figures").glob("*.png")}
    assert names == {"channels", "cells", "training", "accuracy"}
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    evaluated = [r["evaluation"] for r in records if "evaluation" in r]
    assert len(evaluated) == 3 and "held_out" in evaluated[1]


def test_selection_on_validation_images_says_so(tmp_path):
    config = tiny.stable_features()
    config.selection.by = "validation"
    summary = experiment.run(config, tmp_path, data=tiny.quarters()).summary
    assert "as the test images are" in summary["selection"]["by"]
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    evaluated = [r["evaluation"] for r in records if "evaluation" in r]
    np.testing.assert_allclose(evaluated[1]["held_out"], evaluated[1]["validation_given"])


def tofu():
    config = tiny.stable_features("tofu")
    config.data.task = "transfer"
    return config


@pytest.fixture(scope="module")
def tofu_run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("tofu")
    return workdir, experiment.run(tofu(), workdir, data=tiny.quarters())


def test_tofu_is_one_run_of_five_phases(tofu_run):
    workdir, result = tofu_run
    phases = {name: phase["steps"] for name, phase in result.summary["phases"].items()}
    names = ("environment_0", "environment_1", "robust", "embedding")
    assert phases == dict.fromkeys(names, 3) | {"target": 4}
    assert {path.stem for path in (workdir / "figures").glob("*.png")} == {
        *("channels", "cells", "training", "accuracy"),
        *("cross_prediction", "embedding", "clusters"),
    }
    found = result.summary["tofu"]
    assert set(found["cross_prediction"]) == {"environment 0 by 1", "environment 1 by 0"}
    assert set(found["clusters"]["of_label"]) == {"0", "1"}


def test_tofu_passes_on_what_it_found(tofu_run):
    _, result = tofu_run
    found, data = result.state.found, system(tofu()).given
    source = data["environment"] < 2
    assert (np.asarray(found.predicted)[:, source] >= 0).all()
    assert (np.asarray(found.predicted)[:, ~source] == -1).all()
    cluster = np.asarray(found.cluster)
    assert ((cluster >= 0) == ~source).all()
    assert (cluster[~source] // 2 == data["given"][~source]).all()
    trained = int((~data["held_out"][~source]).sum())
    assert int(found.clusters.count.sum()) == trained
    assert np.abs(found.plane).max() > 0
    assert max(float(jnp.abs(x).max()) for x in jax.tree.leaves(found.robust)) > 0


@pytest.mark.slow
def test_tofu_goes_on_bit_for_bit(tmp_path, monkeypatch, tofu_run):
    crashes = [
        (Checkpoints, "save", 1, True),  # between the classifiers of two environments
        (Progress, "advance", 7, False),  # in the embedding, of which nothing is saved yet
        (Checkpoints, "save", 1, True),  # at its end, before the clusters are found
        (Progress, "advance", 2, False),  # after the target was observed and saved
    ]
    for owner, name, at, after in crashes:
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crashing(patch, owner, name, at, after)
            experiment.run(tofu(), tmp_path, data=tiny.quarters())
    resumed = experiment.run(tofu(), tmp_path, data=tiny.quarters())
    workdir, result = tofu_run
    chex.assert_trees_all_equal(resumed.state, result.state)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (workdir / "metrics.jsonl").read_bytes()
