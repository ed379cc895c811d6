"""Which images the phases learn from, are chosen by, and what they pass on."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from systems.stable_features import tiny

from icm_jax.supervised import Parameters
from icm_jax.system import Phase, System
from icm_jax.systems.stable_features import tofu as stable_tofu
from icm_jax.systems.stable_features.build import build_seeds
from icm_jax.systems.stable_features.channels import tasks
from icm_jax.systems.stable_features.measures import worst_group
from icm_jax.systems.stable_features.model import make_model
from icm_jax.systems.stable_features.networks.features import HEAD
from icm_jax.systems.stable_features.partition import outcomes
from icm_jax.systems.stable_features.state import State

PHASES = ("environment_0", "environment_1", "robust", "embedding", "target")


def transfer(method):
    config = tiny.stable_features(method)
    # Environments 0 and 1 are the source's, 2 is the target's. A third of each is held out, of
    # which groups of 6 count by themselves.
    config.data.task = "transfer"
    config.selection.fraction, config.selection.least = 0.3, 6
    return config


def build(config):
    return build_seeds(config, tiny.quarters(400), [config.seed])[0]


class Stage(NamedTuple):
    """A phase, the state that it begins with, and parameters that count at its end."""

    phase: Phase
    state: State
    best: Parameters


class Tofu(NamedTuple):
    config: ConfigDict
    system: System
    stages: dict[str, Stage]


@pytest.fixture(scope="module")
def tofu():
    """TOFU from phase to phase, where a best was observed in each but nothing is trained."""
    config = transfer("tofu")
    system = build(config)
    init, state, stages = jax.jit(system.init), None, {}
    for number, phase in enumerate(system.phases):
        key, best_key = jax.random.split(jax.random.key(number))
        state = phase.begin(state, system.given, key) if phase.begin else init(key)
        best = init(best_key).learner.parameters
        stages[phase.name] = Stage(phase, state, best)
        # Of other parameters than the last, so that it shows which of them are passed on.
        state = state._replace(best=state.best._replace(parameters=best, score=jnp.float32(0.5)))
    return Tofu(config, system, stages)


def predicted(config, parameters, data, index=slice(None)):
    """Labels by the network alone, `[M]`: two labels, two channels."""
    model = make_model(config, 2, 2)
    return np.asarray(
        model.use(parameters, data["images"][index], data["channel"][index]).logits.argmax(axis=1)
    )


def inverted(data, where):
    return data | {
        "images": np.where(where[:, None, None, None], 255 - data["images"], data["images"])
    }


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_learns_from_images_of_its_environments_alone(tofu, name):
    environments = dict(zip(PHASES, ([0], [1], [0, 1], [0, 1], [2]), strict=True))[name]
    data, (phase, state, _) = tofu.system.given, tofu.stages[name]
    learned = np.isin(data["environment"], environments) & ~data["held_out"]
    jitted = jax.jit(phase.step)

    def step(data):
        return jitted(state, data, jax.random.key(0))[0].learner

    learner = step(data)
    other = inverted(data, ~learned)
    for attribute in ("given", "channel"):
        other[attribute] = np.where(learned, data[attribute], 1 - data[attribute])
    chex.assert_trees_all_equal(step(other), learner)
    # The embedding is learned without the last layer.
    kernels = [
        x.parameters.params["Dense_0"]["kernel"] for x in (learner, step(inverted(data, learned)))
    ]
    assert (kernels[0] != kernels[1]).any()


def test_cross_prediction_is_by_the_best_classifier_of_each_environment(tofu):
    data, found = tofu.system.given, tofu.stages["robust"].state.found
    index = np.flatnonzero(data["environment"] < 2)
    expected = np.full((2, len(data["given"])), -1)
    for i in range(2):
        best = tofu.stages[f"environment_{i}"].best
        expected[i, index] = predicted(tofu.config, best, data, index)
    np.testing.assert_array_equal(found.predicted, expected)
    assert (expected[0] != expected[1]).any()


def test_the_target_starts_from_the_best_robust_classifier_with_a_new_last_layer(tofu):
    best, target = tofu.stages["robust"].best, tofu.stages["target"].state
    chex.assert_trees_all_equal(target.found.robust, best)
    params = dict(target.learner.parameters.params)
    expected = dict(best.params)
    kernels = [each.pop(HEAD)["kernel"] for each in (params, expected)]
    assert params and kernels[0].std() > 0 and (kernels[0] != kernels[1]).all()
    chex.assert_trees_all_equal(params, expected)
    chex.assert_trees_all_equal(target.best.parameters, target.learner.parameters)


def test_without_a_robust_classifier_the_target_starts_anew():
    config = transfer("tofu")
    config.tofu.robust.steps = 0
    system = build(config)
    assert [phase.name for phase in system.phases] == [x for x in PHASES if x != "robust"]
    # It begins from groups of images that do not matter here.
    state = jax.jit(system.init)(jax.random.key(0))
    begun = [system.phases[-1].begin(state, system.given, jax.random.key(i)) for i in (0, 1)]
    kernels = [x.learner.parameters.params["Dense_0"]["kernel"] for x in begun]
    assert min(kernel.std() for kernel in kernels) > 0 and (kernels[0] != kernels[1]).any()


def score(phase, state, data):
    """The score of a first observation, of which the parameters are the present ones."""
    best = phase.observe(state, data).best
    chex.assert_trees_all_equal(best.parameters, state.learner.parameters)
    assert best.score == best.now
    return best.score


def worst(config, parameters, data, index, group, groups):
    correct = predicted(config, parameters, data, index) == data["given"][index]
    return worst_group(correct, group, data["given"][index], groups, config.selection.least)


def check_held_out(config, phase, state, data, group, groups):
    """Checks that the score is that of held-out images by their group `[V, N]`, -1 for none."""
    expected, all_images = (
        worst(config, state.learner.parameters, data, index, group[view, index], groups)
        for view, index in (
            np.nonzero((group >= 0) & data["held_out"]),
            np.nonzero(group >= 0),
        )
    )
    np.testing.assert_allclose(score(phase, state, data), expected, rtol=1e-6)
    # Others than those would be noticed.
    assert abs(all_images - expected) > 1e-3


def test_parameters_are_chosen_by_the_worst_group_of_held_out_images():
    config = transfer("balanced")
    system = build(config)
    data, state = system.given, jax.jit(system.init)(jax.random.key(1))
    cell = 2 * data["given"] + data["channel"]
    group = np.where(data["environment"] == 2, cell, -1)
    check_held_out(config, system.phases[0], state, data, group[None], 4)


@pytest.mark.parametrize("number", [0, 1])
def test_an_environments_classifier_is_chosen_by_the_other_environment(tofu, number):
    data, (phase, state, _) = tofu.system.given, tofu.stages[f"environment_{number}"]
    right = predicted(tofu.config, state.learner.parameters, data) == data["given"]
    of = [right[data["environment"] == environment].mean() for environment in (0, 1)]
    np.testing.assert_allclose(score(phase, state, data), of[1 - number], rtol=1e-6)
    assert of[0] != of[1]


def test_the_robust_classifier_is_chosen_by_the_worst_outcome_of_held_out_images(tofu):
    data, (phase, state, _) = tofu.system.given, tofu.stages["robust"]
    task = tasks(tofu.config.data, tiny.quarters(400), [tofu.config.seed])[0]
    outcome = outcomes(state.found.predicted, data, task)
    check_held_out(tofu.config, phase, state, data, outcome, 4)


def test_the_target_is_chosen_by_the_worst_cluster_of_held_out_images(tofu):
    data, (phase, state, _) = tofu.system.given, tofu.stages["target"]
    check_held_out(tofu.config, phase, state, data, state.found.cluster[None], 4)


@pytest.mark.parametrize("method", ["balanced", "tofu"])
def test_validation_images_choose_where_the_config_says_so(method, tofu):
    config = transfer(method)
    config.selection.by = "validation"
    system = build(config)
    state = tofu.stages["target"].state
    seen = system.given["validation"]
    expected = (predicted(config, state.learner.parameters, seen) == seen["given"]).mean()
    np.testing.assert_allclose(score(system.phases[-1], state, system.given), expected, rtol=1e-6)


def test_a_classifier_of_three_environments_is_chosen_on_both_others(monkeypatch):
    config = transfer("tofu")
    config.data.environments = (0.1, 0.2, 0.3)
    system, asked = build(config), []

    def predict(apply_batched, parameters, data, index):
        asked.append(index)
        return np.zeros(len(index), int)

    monkeypatch.setattr(stable_tofu, "_COMPARED", 40)
    monkeypatch.setattr(stable_tofu, "_predict", predict)
    state = jax.jit(system.init)(jax.random.key(0))
    for number in range(3):
        system.phases[number].observe(state, system.given)
        found = np.bincount(system.given["environment"][asked[-1]], minlength=4)
        assert found.tolist() == [20 * (other != number) for other in range(3)] + [0]
