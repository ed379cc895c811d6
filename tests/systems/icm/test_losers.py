"""The discriminator learns from some of the losers' outputs as from all, in the mean."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny
from systems.icm.tiny import take_expert

from icm_jax.schema import validate
from icm_jax.systems.icm import competition, losers
from icm_jax.systems.icm.competition import KeyedImages
from icm_jax.systems.icm.config import SCHEMAS
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.state import init
from icm_jax.systems.icm.steps import Batch, Schedule, competition_step


def test_drawn_losers_by_hand():
    # Two experts, two blocks of two images: expert 0 wins images 0, 2 and 3, expert 1 image 1.
    outputs = jnp.arange(8.0).reshape(2, 4, 1, 1, 1)
    order = jnp.array([[[0.9, 0.2], [0.1, 0.8]], [[0.5, 0.7], [0.6, 0.3]]])  # [N, K, E]
    drawn = losers.draw(outputs, jnp.array([0, 1, 0, 0]), order)
    # In block 0 either lost one image, 1 and 0. In block 1 expert 0 lost none, and expert 1 both,
    # of which image 2 has the greater number.
    np.testing.assert_array_equal(drawn.stand_for, [[1, 0], [1, 2]])
    assert drawn.outputs[0, 0] == outputs[0, 1]
    np.testing.assert_array_equal(drawn.outputs[1].ravel(), outputs[1, jnp.array([0, 2])].ravel())


def logits(factor, images):
    """A discriminator of one parameter, whose gradient is another for every image."""
    return factor * images.sum((-3, -2, -1)) - 0.1 * factor**2


@pytest.mark.parametrize("parts", [1, 3])
def test_the_mean_over_all_draws_is_the_gradient_of_all(parts):
    """Three experts and two blocks of two images: of 2^6 orders each is as likely."""
    keys = jax.random.split(jax.random.key(0))
    # Expert 0 makes the best of the first two images: it loses nothing in block 0.
    best = jnp.zeros((3, 4)).at[0, :2].set(5)[..., None, None, None]
    outputs = jax.random.normal(keys[0], (3, 4, 2, 1, 1)) + best
    canonical = jax.random.normal(keys[1], (4, 2, 1, 1))
    given = logits, jnp.float32(0.7), outputs, canonical
    loss, scores, of_canonical, expected = competition.discriminator_gradient(*given)
    first = np.array(list(itertools.product((0.25, 0.75), repeat=6)), np.float32)
    orders = np.stack([first, 1 - first], axis=1).reshape(-1, 2, 2, 3).swapaxes(1, 2)
    estimate = functools.partial(losers.discriminator_gradient, *given, parts=parts)
    found = jax.jit(jax.vmap(estimate))(orders)
    np.testing.assert_allclose(found[3].mean(), expected, rtol=1e-5)
    assert found[3].std() > 0.01 * abs(expected)
    # Loss and scores are those of all outputs, whichever are drawn.
    for several, one in zip(found[:3], (loss, scores, of_canonical), strict=True):
        chex.assert_trees_all_close(several, jnp.broadcast_to(one, several.shape), rtol=1e-5)


@functools.cache
def small_step():
    model = make_model(tiny.icm())
    state = jax.jit(functools.partial(init, model, 3, jnp.zeros((1, 12, 12, 1))))(jax.random.key(0))
    transformed, canonical = jax.random.uniform(jax.random.key(1), (2, 8, 12, 12, 1))
    step = jax.jit(functools.partial(competition_step, model, schedule=Schedule(0.9)))
    batch = Batch(KeyedImages(transformed), canonical, KeyedImages(transformed[:2]))
    return lambda order: step(state, batch._replace(order=order))


def first_moments(state):
    """Of the discriminator after one step: a tenth of its gradient."""
    return state.discriminator.opt_state[0].mu


def test_blocks_of_one_image_are_all_of_them():
    all_of_them, metrics = small_step()(None)
    one_each, metrics_of_each = small_step()(jnp.zeros((8, 1, 3)))
    chex.assert_trees_all_close(metrics_of_each, metrics, rtol=1e-5)
    chex.assert_trees_all_close(
        first_moments(one_each), first_moments(all_of_them), rtol=1e-3, atol=1e-7
    )
    # The experts learn the same from the same wins.
    chex.assert_trees_all_close(
        one_each.experts.opt_state[0].mu, all_of_them.experts.opt_state[0].mu, rtol=1e-3, atol=1e-7
    )


def config(losers):
    c = tiny.icm()
    c.discriminator.losers = losers
    return c


@pytest.mark.slow
def test_four_devices_draw_what_one_does():
    splits, key = tiny.splits(), jax.random.key(0)
    one, four = tiny.build_icm(config(4), splits), tiny.build_icm(config(4), splits, "devices")
    data = jax.tree.map(jnp.asarray, one.given)
    state = jax.jit(one.init)(key)
    alone, metrics = jax.jit(one.phases[1].step)(state, data, key)
    everyone, _ = jax.jit(
        jax.vmap(lambda _: four.phases[1].step(state, data, key), axis_name="devices", axis_size=4)
    )(jnp.arange(4))
    shared = take_expert(everyone, 0)
    chex.assert_trees_all_close(first_moments(shared), first_moments(alone), rtol=1e-3, atol=1e-7)
    # From all outputs the gradient is another, and the metrics are the same.
    plain = tiny.build_icm(config(0), splits)
    whole, metrics_of_whole = jax.jit(plain.phases[1].step)(state, data, key)
    chex.assert_trees_all_close(metrics, metrics_of_whole, rtol=1e-5)
    kernels = [first_moments(s)["Dense_0"]["kernel"] for s in (alone, whole)]
    assert jnp.abs(kernels[0] - kernels[1]).max() > 1e-2 * jnp.abs(kernels[1]).max()


def test_numbers_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="discriminator.losers: 3 does not divide batch_size, 8"):
        validate(config(3), SCHEMAS["icm"])
    system = tiny.build_icm(config(2), tiny.splits(), "devices")
    state = jax.eval_shape(system.init, jax.random.key(0))
    step = lambda state, data, key: system.phases[1].step(state, data, key)  # noqa: E731
    with pytest.raises(ValueError, match="discriminator.losers: 2 does not divide among 4 devices"):
        jax.eval_shape(
            jax.vmap(step, (None, None, None), axis_size=4, axis_name="devices"),
            *(state, system.given, jax.random.key(0)),
        )


@pytest.mark.parametrize("wrong", [(2, 3, 3), (2, 4, 2)])
def test_orders_that_do_not_fit_are_refused(wrong):
    given = logits, jnp.float32(0.7), jnp.zeros((3, 8, 2, 1, 1)), jnp.zeros((8, 2, 1, 1))
    estimate = functools.partial(losers.discriminator_gradient, *given)
    jax.eval_shape(estimate, jnp.zeros((2, 4, 3)))
    with pytest.raises(AssertionError, match="Chex"):
        jax.eval_shape(estimate, jnp.zeros(wrong))
