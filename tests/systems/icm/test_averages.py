"""Running averages of experts, which they are evaluated with where a config says so."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax.systems.icm.evaluation import score_all
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.state import Experts, init, run_on
from icm_jax.training.checkpoints import fill, flatten


@pytest.mark.parametrize(("steps", "kept"), [(0, 0.1), (2, 0.25), (8, 0.5), (1000, 0.5)])
def test_averages_by_hand(steps, kept):
    experts = Experts({"w": jnp.array([8.0, 0.0])}, {"mean": jnp.array([4.0, 4.0])}, None)
    old = {"w": jnp.zeros(2)}, {"mean": jnp.array([4.0, 0.0])}
    params, statistics = run_on(experts._replace(average=old), 0.5, jnp.int32(steps)).average
    np.testing.assert_allclose(params["w"], [8 * (1 - kept), 0], rtol=1e-6)
    np.testing.assert_allclose(statistics["mean"], [4, 4 * (1 - kept)], rtol=1e-6)
    assert run_on(experts, 0.5, jnp.int32(steps)) is experts


@functools.cache
def first_state(average):
    config = tiny.icm()
    config.experts.average = average
    model = make_model(config)
    make = functools.partial(init, model, 2, jnp.zeros((1, 12, 12, 1)))
    return model, jax.jit(make)(jax.random.key(0))


def test_without_averages_a_state_is_saved_as_it_was_before_there_were_any():
    _, state = first_state(0.0)
    saved = flatten(state)
    assert not [path for path in saved if "average" in path]
    assert state.experts.average == () and len(saved) == len(jax.tree.leaves(state))
    chex.assert_trees_all_equal(fill(state, saved), state)
    _, averaged = first_state(0.9)
    assert set(saved) < set(flatten(averaged))


def test_experts_are_evaluated_with_averages_where_there_are_any():
    model, state = first_state(0.9)
    chex.assert_trees_all_equal(state.experts.average, state.experts[:2])
    average = jax.tree.map(lambda t: t + 0.1, state.experts.average)
    score = jax.jit(functools.partial(score_all, model))
    images = jax.random.uniform(jax.random.key(1), (4, 12, 12, 1))
    found = score(state._replace(experts=state.experts._replace(average=average)), images)
    expected = score(state._replace(experts=Experts(*average, state.experts.opt_state)), images)
    chex.assert_trees_all_close(found, expected, rtol=1e-6)
    assert jnp.abs(found[0] - score(state, images)[0]).max() > 1e-3


def test_steps_keep_averages():
    config = tiny.icm()
    config.experts.average = 0.9
    config.competition.restart.every = 0
    system = tiny.build_icm(config, tiny.splits())
    _, state = first_state(0.9)
    data, step = jax.tree.map(jnp.asarray, system.given), jax.jit(system.phases[1].step)
    new, _ = step(state, data, jax.random.key(0))
    expected = jax.tree.map(
        lambda old, new: 0.1 * old + 0.9 * new, state.experts.average, new.experts[:2]
    )
    chex.assert_trees_all_close(new.experts.average, expected, rtol=1e-5, atol=1e-7)
    late, _ = step(state._replace(steps=jnp.int32(500)), data, jax.random.key(0))
    assert late.steps == 501
    expected = jax.tree.map(
        lambda old, new: 0.9 * old + 0.1 * new, state.experts.average, late.experts[:2]
    )
    chex.assert_trees_all_close(late.experts.average, expected, rtol=1e-5, atol=1e-7)
