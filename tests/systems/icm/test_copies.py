import chex
import jax
import jax.numpy as jnp
import numpy as np
from systems.icm import tiny
from systems.icm.tiny import take_expert

from icm_jax.systems.icm.copies import copy_first
from icm_jax.systems.icm.state import Experts


def build(kind):
    config = tiny.icm()
    config.initialization.kind = kind
    return tiny.build_icm(config, tiny.splits())


def test_one_expert_learns_what_it_learns_among_all_and_the_others_stay():
    state = jax.jit(build("each").init)(jax.random.key(0))
    found = {}
    for kind in ("each", "copies"):
        system = build(kind)
        step, data = jax.jit(system.phases[0].step), jax.tree.map(jnp.asarray, system.given)
        found[kind] = step(state, data, jax.random.key(1))
    new, metrics = found["copies"]
    all_of_them, metrics_of_all = found["each"]
    first, among_all = (take_expert(s.experts, 0) for s in (new, all_of_them))
    for part in (first, among_all):
        del part.params["Conv_0"]["bias"]  # batch norm cancels it, and its gradient is rounding
    chex.assert_trees_all_close(first[:2], among_all[:2], rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_equal(take_expert(new.experts, 1), take_expert(state.experts, 1))
    error, error_of_all = (m["reproduction_error"].total for m in (metrics, metrics_of_all))
    np.testing.assert_allclose(error, error_of_all[:1], rtol=1e-5)
    chex.assert_trees_all_equal((new.share, new.steps), (state.share, state.steps))


def test_copies_are_the_first_with_noise():
    params = {"w": jnp.array([[1.0] * 500, [2.0] * 500, [3.0] * 500])}
    experts = Experts(params, {"mean": jnp.arange(3.0)}, jnp.arange(3))
    copied = copy_first(experts, jax.random.key(0), 0.1)
    w = np.array(copied.params["w"])
    assert (w[0] == 1).all()
    for copy in w[1:]:
        np.testing.assert_allclose([copy.mean(), copy.std()], [1, 0.1], atol=0.015)
    assert (w[1] != w[2]).all()
    chex.assert_trees_all_equal(copied[1:3], ({"mean": jnp.zeros(3)}, jnp.zeros(3, int)))


def test_the_competition_begins_with_copies_alone_where_it_is_to():
    assert build("each").phases[1].begin is None
    system = build("copies")
    state, key = jax.jit(system.init)(jax.random.key(0)), jax.random.key(1)
    begun = system.phases[1].begin(state, system.given, key)
    chex.assert_trees_all_equal(begun.experts, copy_first(state.experts, key, 0.02))
    chex.assert_trees_all_equal(begun._replace(experts=()), state._replace(experts=()))
