"""The supervised step on a network of one weight, by hand."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from icm_jax.supervised import (
    Batch,
    Learner,
    Loss,
    Parameters,
    Scores,
    Supervised,
    descend,
    mean_loss,
    supervised_step,
)
from icm_jax.system import Mean

SGD = optax.sgd(1.0)
BATCH = Batch(jnp.array([4.0, 2.0]), jnp.array([1, 0]), jnp.array([0, 0]))


class State(NamedTuple):
    learner: Learner


def state(w=0.0):
    params = {"w": jnp.float32(w)}
    return State(Learner(Parameters(params, {}), SGD.init(params)))


def forward(parameters, inputs, key):
    """Logits 0 and w x; the batch statistics say what it was given."""
    logit = parameters.params["w"] * inputs
    return jnp.stack([jnp.zeros_like(logit), logit], axis=1), {"inputs": inputs, "key": key}


def supervised(batch=BATCH, objective=None, axis_name=None, **fields):
    def draw(state, data, key):
        return batch, {"drawn": Mean(data, jnp.float32(1))}

    how = Supervised(draw, forward, objective or mean_loss(2), SGD, axis_name)
    return how._replace(**fields)


def step(how, data=7.0):
    return supervised_step(how, state(), jnp.float32(data), jax.random.key(0))


def test_a_step_descends_the_mean_loss():
    learner, weights, metrics = step(supervised())
    # Both classes have chance 1/2: the derivative by w is (-4 / 2 + 2 / 2) / 2.
    np.testing.assert_allclose(learner.parameters.params["w"], 0.5)
    np.testing.assert_allclose(learner.parameters.batch_stats["inputs"], [4, 2])
    assert weights is None and set(metrics) == {"drawn", "loss", "accuracy"}
    np.testing.assert_allclose(metrics["loss"], (2 * np.log(2), 2), rtol=1e-6)
    # Of equal logits the first counts: the second image is of class 0.
    assert metrics["accuracy"] == (1, 2) and metrics["drawn"] == (7, 1)


def test_an_objective_says_what_is_descended_and_remembered():
    def objective(state, scores):
        np.testing.assert_array_equal(scores.labels, [1, 0])
        np.testing.assert_array_equal(scores.group, [0, 0])
        value = 3 * scores.losses[0] + 0 * state.learner.parameters.params["w"]
        return Loss(value, jnp.array([0.25, 0.75]), {"own": Mean(value, jnp.float32(1))})

    learner, weights, metrics = step(supervised(objective=objective))
    np.testing.assert_allclose(learner.parameters.params["w"], 3 * 4 / 2)
    np.testing.assert_allclose(weights, [0.25, 0.75])
    np.testing.assert_allclose(metrics["own"].total, 3 * np.log(2), rtol=1e-6)


def test_draw_and_dropout_have_keys_of_their_own():
    drawn = []

    def draw(state, data, key):
        drawn.append(key)
        return BATCH, {}

    learner, _, _ = step(supervised(draw=draw))
    keys = [jax.random.key_data(k).tolist() for k in (*drawn, jax.random.key(0))]
    keys.append(jax.random.key_data(learner.parameters.batch_stats["key"]).tolist())
    assert len({tuple(key) for key in keys}) == 3


def test_two_devices_do_what_one_does():
    def on_device(inputs, labels, group):
        how = supervised(Batch(inputs, labels, group), axis_name="devices")
        learner, _, metrics = step(how)
        return learner.parameters.params["w"], metrics["loss"], metrics["accuracy"]

    shares = [x.reshape(2, 1) for x in BATCH]
    w, loss, accuracy = jax.vmap(on_device, axis_name="devices")(*shares)
    np.testing.assert_allclose(w, [0.5, 0.5])
    np.testing.assert_allclose(loss, [[2 * np.log(2)] * 2, [2, 2]], rtol=1e-6)
    np.testing.assert_allclose(accuracy, [[1, 1], [2, 2]])


def test_each_device_drops_what_is_its_own():
    def on_device(_):
        learner, _, _ = step(supervised(axis_name="devices"))
        return jax.random.key_data(learner.parameters.batch_stats["key"])

    one, other = jax.vmap(on_device, axis_name="devices")(jnp.arange(2))
    assert (one != other).any()


def test_losses_are_float32_whatever_the_network_computes_in():
    def coarse(parameters, inputs, key):
        logits, stats = forward(parameters, inputs, key)
        return logits.astype(jnp.bfloat16), stats

    _, _, metrics = step(supervised(forward=coarse))
    assert metrics["loss"].total.dtype == jnp.float32
    # bfloat16 has 3 digits: 2 log 2 would be 1.383.
    np.testing.assert_allclose(metrics["loss"].total, 2 * np.log(2), rtol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        BATCH._replace(labels=jnp.array([[1, 0]])),
        BATCH._replace(group=jnp.array([[0], [0]])),
        BATCH._replace(group=jnp.array([0, 0, 0])),
        BATCH._replace(inputs=jnp.ones(3)),
    ],
    ids=["labels", "group", "groups", "inputs"],
)
def test_a_batch_of_wrong_shapes_is_refused(wrong):
    with pytest.raises(AssertionError):
        step(supervised(wrong))


def test_logits_of_wrong_shapes_are_refused():
    def flat(parameters, inputs, key):
        return parameters.params["w"] * inputs, {}

    with pytest.raises(AssertionError, match="shape"):
        step(supervised(forward=flat))


def test_scores_of_wrong_shapes_are_refused():
    scores = Scores(jnp.ones(2), jnp.ones((2, 2)), jnp.array([0, 1]), jnp.array([0, 0]))
    assert mean_loss(4)(state(), scores).value == 0.5
    with pytest.raises(AssertionError, match="rank"):
        mean_loss(4)(state(), scores._replace(losses=jnp.ones((2, 1))))


def test_a_gradient_of_other_shapes_is_refused():
    with pytest.raises(AssertionError, match="shape"):
        descend(SGD, state().learner, {"w": jnp.ones(2)}, {}, None)
