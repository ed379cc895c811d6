"""Learning Not to Learn: its parts by hand, its two updates written out, on two devices."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from devices import step_on_devices
from systems.counterfactual.generation import tiny as generators
from systems.counterfactual.invariance import tiny

from icm_jax.systems.counterfactual.invariance import build
from icm_jax.systems.counterfactual.invariance.methods import lntl


def built(axis_name=None, **fields):
    config = tiny.classifier("colored,lntl")
    config.update_from_flattened_dict({"lntl.learning_rate": 1.0, **fields})
    return build.build_seeds(config, generators.squares(), [0], axis_name)[0]


def parts_of(system):
    return system.phases[0].step.__closure__[0].cell_contents


def test_the_gradient_is_turned_round_and_the_value_is_not():
    value, gradient = jax.value_and_grad(lambda x: 3 * lntl.reverse_gradient(x, 0.1))(7.0)
    assert value == 21 and gradient == pytest.approx(-0.3)


def test_bins_are_those_of_every_second_pixel_and_black_does_not_count():
    greys = np.array([0, 1, 31, 32, 128, 255])
    images = np.full((2, 4, 4, 3), -1, np.float32)
    images[:, 1::2, 1::2] = -0.5  # grey 64 is bin 2
    images[0, 1, 1], images[1, 3, 3] = (2 * of / 255 - 1 for of in (greys[:3], greys[3:]))
    bins, counts = lntl.bin_colors(jnp.asarray(images))
    assert bins.shape == counts.shape == (2, 2, 2, 3)
    assert bins[0, 0, 0].tolist() == [0, 0, 0] and counts[0, 0, 0].tolist() == [0, 1, 1]
    assert bins[1, 1, 1].tolist() == [1, 4, 7] and bins[0, 1, 0].tolist() == [2, 2, 2]


def test_entropies_are_in_nats():
    found = lntl.entropies(jnp.array([[0.0] * 8, [50.0] + [0.0] * 7]))
    np.testing.assert_allclose(found, [np.log(8), 0], atol=1e-6)


def test_the_rate_falls_twice():
    config = tiny.classifier("colored,lntl")
    config.steps = 10
    optimizer, params, moves = lntl.make_optimizer(config, 2), jnp.float32(0), []
    state = optimizer.init(params)
    for _ in range(20):
        before = state[1][0].trace
        update, state = optimizer.update(jnp.float32(1), state, params)
        moves.append(float(-update / (1 + 0.9 * before)))
    # After 8 and 16 of 20 updates.
    np.testing.assert_allclose(moves, [0.01] * 8 + [0.001] * 8 + [0.0001] * 4, rtol=1e-4)


def test_the_classifier_goes_against_the_predictors_and_they_learn():
    system = built(**{"lntl.entropy": 0.5, "lntl.reversal": 0.2})
    parts, state = parts_of(system), jax.jit(system.init)(jax.random.key(0))
    data, key = jax.device_put(system.given), jax.random.key(1)

    def labels(params, theirs, batch):
        ours = state.learner.parameters._replace(params=params)
        logits, features, _ = lntl._classify(parts.network, ours, batch.inputs)
        told, _ = lntl._predict(parts, theirs, features)
        chances = jax.nn.softmax(told)
        sure = (chances * jnp.log(chances)).sum(-1).mean()
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
        return losses.mean() + 0.5 * sure

    def colors(ours, theirs, batch):
        _, features, _ = lntl._classify(parts.network, ours, batch.inputs)
        told, _ = lntl._predict(parts, theirs, features)
        bins, counts = lntl.bin_colors(batch.inputs)
        logs = jnp.take_along_axis(jax.nn.log_softmax(told), bins[..., None], -1)[..., 0]
        return sum(-(logs * counts)[..., c].sum() / counts[..., c].sum() for c in range(3))

    @jax.jit
    def both(state):
        batch, _ = parts.draw(state, data, key)
        ours, theirs = state.learner.parameters, state.predictors.parameters
        decay = 5e-4
        first = jax.grad(labels)(ours.params, theirs, batch)
        first = jax.tree.map(lambda g, p: g + decay * p, first, ours.params)
        moved = ours._replace(params=jax.tree.map(lambda p, g: p - g, ours.params, first))
        up, down = jax.grad(colors, (0, 1))(moved, theirs, batch)
        # Turned round, a fifth of it, after the momentum of the first update.
        second = jax.tree.map(
            lambda m, g, p: 0.9 * m - 0.2 * g + decay * p, first, up.params, moved.params
        )
        wanted = (
            jax.tree.map(lambda p, g: p - g, moved.params, second),
            jax.tree.map(lambda p, g: p - g - decay * p, theirs.params, down.params),
        )
        return wanted, up.params, system.phases[0].step(state, data, key)

    wanted, up, (after, metrics) = jax.device_get(both(state))
    found = after.learner.parameters.params, after.predictors.parameters.params
    chex.assert_trees_all_close(found, wanted, rtol=1e-3, atol=2e-4)
    # What comes after the features has nothing to do with colours.
    size = {name: max(float(np.abs(x).max()) for x in of.values()) for name, of in up.items()}
    assert size["Conv_1"] > 0 and size["Conv_2"] == size["Conv_3"] == size["Dense_0"] == 0
    assert set(metrics) == {"loss", "accuracy", "color_entropy", "color_loss"}
    assert 0 < metrics["color_entropy"].total / 4 < np.log(8)


def test_two_devices_learn_what_one_does():
    one, two = (built(axis) for axis in (None, "devices"))
    state, data = jax.jit(one.init)(jax.random.key(0)), jax.device_put(one.given)

    steps = one.phases[0].step, two.phases[0].step
    alone, everyone = step_on_devices(*steps, state, data, jax.random.key(1))
    for of in everyone:
        chex.assert_trees_all_close(of, alone, rtol=1e-3, atol=1e-4)
