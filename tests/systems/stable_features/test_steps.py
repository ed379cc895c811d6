"""Which images a step learns from, and how the best parameters are kept."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from icm_jax import objectives
from icm_jax.data import Groups, group
from icm_jax.objectives import group_dro, irm
from icm_jax.supervised import Learner, Parameters, Scores, mean_loss
from icm_jax.system import Phase
from icm_jax.systems.stable_features.embedding import Embedding, make_embedding_step
from icm_jax.systems.stable_features.model import make_optimizer
from icm_jax.systems.stable_features.networks.features import Outputs
from icm_jax.systems.stable_features.state import Best, State, selected_parameters, with_selection
from icm_jax.systems.stable_features.steps import Drawn, draw_from_worst, make_step


class Lookup(NamedTuple):
    """Stands for a model: an image's first pixel says with which logit it is class 1."""

    def use(self, parameters, images, channel):
        logit = images[:, 0, 0, 0].astype(jnp.float32)
        return Outputs(jnp.stack([jnp.zeros_like(logit), logit], axis=1), None)


def state(**fields):
    nothing = jnp.float32(-jnp.inf)
    parameters = Parameters({"w": jnp.float32(0)}, {})
    best = Best(parameters, nothing, jnp.int32(0), nothing)
    return State(Learner(parameters, ()), best, jnp.ones(3) / 3, jnp.int32(0), ())._replace(
        **fields
    )


def test_the_worst_group_is_learned_from():
    # Losses: image 0 and 1 log 2; images 2 and 3, of label 0 with logit 5, about 5; 4 nearly 0.
    pixels = np.array([0, 0, 5, 5, 9], np.uint8).reshape(5, 1, 1, 1)
    groups = group(np.array([0, 0, 2, 2, 1]), 4)  # group 3 is empty
    data = {
        "images": jnp.asarray(pixels),
        "channel": jnp.zeros(5, jnp.int32),
        "given": jnp.array([0, 1, 0, 0, 1]),
    }
    groups = jax.tree.map(jnp.asarray, groups)
    draw = draw_from_worst(Lookup(), lambda state, data: groups, 8, None)
    batch, metrics = draw(state(), data, jax.random.key(0))
    assert set(batch.index.tolist()) == {2, 3} and batch.group.tolist() == [2] * 8
    np.testing.assert_allclose(metrics["worst_group_loss"].total, np.log(1 + np.exp(5)), 1e-5)


@pytest.mark.parametrize("wrong", ["channel", "index"])
def test_a_step_refuses_what_is_not_one_for_each_image(wrong):
    data = {"given": jnp.zeros(5, jnp.int32), "channel": jnp.zeros(5, jnp.int32)}
    data["images"] = jnp.zeros((5, 1, 1, 1), jnp.uint8)
    drawn = Drawn(jnp.zeros(4, jnp.int32), jnp.zeros(4, jnp.int32))
    if wrong == "channel":
        data["channel"] = jnp.zeros(4, jnp.int32)
    else:
        drawn = drawn._replace(index=jnp.zeros((4, 1), jnp.int32))
    step = make_step(None, optax.sgd(1.0), lambda *_: (drawn, {}), mean_loss(4), None)
    with pytest.raises(AssertionError, match=r"\[Chex\]"):
        step(state(), data, jax.random.key(0))


class Scaled(NamedTuple):
    """Stands for a model: an image's embedding is w times its pixel."""

    def learn(self, parameters, images, channel, key):
        pixels = images.reshape(-1, 1).astype(jnp.float32)
        # What it was shown is kept where batch statistics would be.
        return Outputs(None, parameters.params["w"] * pixels), pixels


class Pairs(NamedTuple):
    """Stands for what earlier phases found."""

    pairs: Groups


def test_right_and_mistaken_images_of_usable_pairs_make_the_triples():
    # Pairs by their right and their mistaken pixels: the first and the last have both.
    sides = [[10, 13, 14], [30, 32]], [[40, 90], []], [[], [55, 75]], [[60, 61], [62, 69]]
    sides = [side for pair in sides for side in pair]
    pixels = np.array([pixel for side in sides for pixel in side], np.uint8)
    numbers = np.repeat(np.arange(8), [len(side) for side in sides])
    data = {
        "images": jnp.asarray(pixels.reshape(-1, 1, 1, 1)),
        "channel": jnp.zeros(len(pixels), jnp.int32),
    }
    optimizer, params = optax.sgd(1.0), {"w": jnp.float32(1)}
    learner = Learner(Parameters(params, {}), optimizer.init(params))
    before = state(learner=learner, found=Pairs(jax.tree.map(jnp.asarray, group(numbers, 8))))
    # So wide a margin that all triples count.
    size, margin = 5, 3000.0
    step = jax.jit(make_embedding_step(Embedding(Scaled(), optimizer, size, margin, None)))
    after, metrics = step(before, data, jax.random.key(0))

    drawn = np.asarray(after.learner.parameters.batch_stats).reshape(8, size, 1)
    for number in (0, 1, 6, 7):
        assert set(drawn[number].ravel()) <= set(sides[number])
    losses = [objectives.triplet_losses(*drawn[i : i + 2], margin).mean() for i in (0, 6)]
    np.testing.assert_allclose(metrics["triplet_loss"].total, np.mean(losses), rtol=1e-5)
    assert metrics["triplet_loss"].count == 1 and after.steps == 1
    # Distances grow with w squared: of the mean of `margin + w^2 d` the derivative is 2 d at 1.
    distance = np.mean(losses) - margin
    np.testing.assert_allclose(after.learner.parameters.params["w"], 1 - 2 * distance, rtol=1e-4)
    assert min(losses) > 0 and abs(losses[0] - losses[1]) > 1


@pytest.mark.parametrize("count", [3, (2, 2)])
def test_the_embedding_refuses_groups_that_are_no_pairs(count):
    groups = Groups(jnp.zeros(5, jnp.int32), jnp.zeros(count), jnp.zeros(count))
    step = make_embedding_step(Embedding(Scaled(), optax.sgd(1.0), 5, 0.3, None))
    with pytest.raises(AssertionError, match=r"\[Chex\]"):
        step(state(found=Pairs(groups)), {}, jax.random.key(0))


def objective_value(objective, losses, **fields):
    logits = jnp.zeros((len(losses), 2))
    labels = jnp.zeros(len(losses), jnp.int32)
    numbers = jnp.array([0, 0, 1, 2])
    return objective(state(**fields), Scores(jnp.array(losses), logits, labels, numbers))


def test_group_dro_uses_the_weights_after_the_step():
    objective = group_dro(ConfigDict({"rate": float(np.log(2))}), 3, None)
    found = objective_value(objective, [1.0, 3.0, 1.0, 0.0])
    # Means 2, 1, 0: thirds times 4, 2, 1, that is 4/7, 2/7, 1/7.
    np.testing.assert_allclose(found.weights, np.array([4, 2, 1]) / 7, rtol=1e-6)
    np.testing.assert_allclose(found.value, 4 / 7 * 2 + 2 / 7 * 1, rtol=1e-6)
    assert found.metrics["worst_group_loss"].total == 2


@pytest.mark.parametrize(("steps", "factor"), [(4, 1.0), (5, 10.0)])
def test_the_penalty_grows_after_some_steps(steps, factor):
    objective = irm(ConfigDict({"penalty": 10.0, "after": 5}), 4, 3, None)
    logits = jnp.array([[0.0, 1.0]] * 4)
    labels = jnp.array([0, 1, 0, 1])
    numbers = jnp.array([0, 0, 1, 2])

    def value(losses, logits):
        scores = Scores(losses, logits, labels, numbers)
        return objective(state(steps=jnp.int32(steps)), scores).value

    by_losses, by_logits = jax.grad(value, (0, 1))(jnp.ones(4), logits)
    # The mean over 4 and the penalty, both divided by a factor above 1.
    np.testing.assert_allclose(by_losses, [0.25 / factor] * 4, rtol=1e-6)
    whole = irm(ConfigDict({"penalty": 1.0, "after": 5}), 4, 3, None)
    plain = jax.grad(lambda x: whole(state(), Scores(jnp.zeros(4), x, labels, numbers)).value)(
        logits
    )
    np.testing.assert_allclose(by_logits, plain, rtol=1e-5)


def test_the_learning_rate_falls_over_the_last_part():
    config = ConfigDict({"learning_rate": 0.1, "decay": 0.5, "weight_decay": 0.0})
    optimizer = make_optimizer(config, 10)
    params = jnp.float32(0)
    opt_state, moves = optimizer.init(params), []
    for _ in range(10):
        update, opt_state = optimizer.update(jnp.float32(1), opt_state, params)
        moves.append(-float(update))
    # Adam moves by the rate where the gradient stays the same.
    expected = [0.1] * 6 + [0.08, 0.06, 0.04, 0.02]
    np.testing.assert_allclose(moves, expected, rtol=1e-4)


def test_weight_decay_is_part_of_the_gradient():
    config = ConfigDict({"learning_rate": 0.1, "decay": 0.0, "weight_decay": 0.5})
    optimizer = make_optimizer(config, 10)
    params = jnp.float32(2)
    update, _ = optimizer.update(jnp.float32(-1), optimizer.init(params), params)
    # 0.5 * 2 - 1 = 0: nothing moves, which decoupled decay would.
    np.testing.assert_allclose(update, 0.0, atol=1e-7)


def test_the_latest_of_the_best_parameters_counts():
    scores = iter([0.5, 0.7, 0.7, 0.6])
    config = ConfigDict({"selection": {"by": "worst_group"}})
    phase = with_selection(Phase("training", 4, None), lambda state, data: next(scores), config)
    now = state()
    for step in range(1, 5):
        w = Parameters({"w": jnp.float32(step)}, {})
        now = now._replace(learner=Learner(w, ()), steps=jnp.int32(step))
        now = phase.observe(now, {})
    assert (now.best.step, float(now.best.score), float(now.best.now)) == (
        3,
        np.float32(0.7),
        np.float32(0.6),
    )
    assert selected_parameters(now).params["w"] == 3


def test_the_last_parameters_count_where_nothing_is_observed():
    config = ConfigDict({"selection": {"by": "last"}})
    phase = Phase("training", 4, None)
    assert with_selection(phase, None, config) is phase
    assert selected_parameters(state()).params["w"] == 0
