"""Several devices compute what one does: `vmap` over a named axis stands for them."""

import functools

import chex
import jax
import jax.numpy as jnp
import pytest
from systems.stable_features import tiny

from icm_jax.systems.stable_features.build import build_seeds
from icm_jax.systems.stable_features.networks.features import MLP
from icm_jax.systems.stable_features.networks.registry import CLASSIFIERS


@pytest.mark.parametrize(
    ("method", "phase"),
    [
        ("erm", "training"),
        ("group_dro", "training"),
        ("tofu", "robust"),
        ("tofu", "embedding"),
    ],
)
def test_four_devices_learn_what_one_does(method, phase, monkeypatch):
    # Devices would move images and drop features otherwise than one does.
    monkeypatch.setitem(CLASSIFIERS, "mlp", functools.partial(MLP, hidden=20, dropout=0.0))
    config = tiny.stable_features(method)
    config.shift, config.tofu.batch_size = 0, 8
    one, four = (
        build_seeds(config, tiny.quarters(), [0], axis_name)[0] for axis_name in (None, "devices")
    )
    number = [each.name for each in one.phases].index(phase)
    state = jax.jit(one.init)(jax.random.key(0))
    for each in one.phases[1 : number + 1]:
        state = each.begin(state, one.given, jax.random.key(1))

    data = jax.tree.map(jnp.asarray, one.given)
    of_four = jax.vmap(
        lambda state, key, _: four.phases[number].step(state, data, key),
        in_axes=(None, None, 0),
        axis_name="devices",
    )

    @jax.jit
    def both(alone, shared, key):
        return one.phases[number].step(alone, data, key), of_four(shared, key, jnp.arange(4))

    alone = shared = state
    for i in range(2):
        (alone, metrics), everyone = jax.device_get(both(alone, shared, jax.random.key(i)))
        first, *others = (jax.tree.map(lambda x, d=d: x[d], everyone) for d in range(4))
        for other in others:
            chex.assert_trees_all_equal(other, first)
        shared, metrics_of_four = first
        chex.assert_trees_all_close(metrics_of_four, metrics, rtol=1e-4, atol=1e-6)
        # With the optimizer's moments: Adam's steps are the same for a multiple of the gradient.
        chex.assert_trees_all_close(shared, alone, rtol=1e-3, atol=1e-6)
