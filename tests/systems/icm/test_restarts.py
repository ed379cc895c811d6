import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.icm import restarts

SETTINGS = restarts.Settings(every=20, idle=0.2, crowded=1.5, noise=0.02, memory=0.95)


def restart(share):
    params = {"w": jnp.array([[1.0] * 500, [2.0] * 500, [3.0] * 500, [4.0] * 500])}
    rest = jnp.arange(4)
    return restarts.restart_idle(params, rest, jnp.array(share), jax.random.key(0), SETTINGS)


def test_the_idle_expert_becomes_a_perturbed_copy_of_the_crowded_one():
    # Of four experts: idle below 0.2 / 4 = 0.05, crowded above 1.5 / 4 = 0.375.
    params, rest, share, restarted = restart([0.3, 0.04, 0.46, 0.2])
    assert restarted
    chex.assert_trees_all_equal(rest, jnp.array([0, 2, 2, 3]))
    np.testing.assert_allclose(share, [0.3, 0.25, 0.25, 0.2], rtol=1e-6)
    w = np.array(params["w"])
    for expert, value in ((0, 1.0), (2, 3.0), (3, 4.0)):
        assert (w[expert] == value).all()
    np.testing.assert_allclose(w[1].mean(), 3.0, atol=0.02)
    np.testing.assert_allclose(w[1].std(), 3.0 * 0.02, rtol=0.15)


@pytest.mark.parametrize(
    "share",
    [
        [0.3, 0.06, 0.44, 0.2],  # nobody is idle
        [0.35, 0.01, 0.34, 0.3],  # nobody is crowded
    ],
)
def test_nothing_happens_unless_one_is_idle_and_another_crowded(share):
    params, rest, after, restarted = restart(share)
    assert not restarted
    chex.assert_trees_all_equal(rest, jnp.arange(4))
    chex.assert_trees_all_equal(after, jnp.array(share))
    chex.assert_trees_all_equal(params["w"][:, 0], jnp.array([1.0, 2.0, 3.0, 4.0]))


def test_running_share_by_hand():
    share = restarts.running_share(jnp.array([0.5, 0.5]), jnp.array([24.0, 8.0]), SETTINGS)
    # 0.95 * 0.5 + 0.05 * 24 / 32 = 0.5125
    np.testing.assert_allclose(share, [0.5125, 0.4875], rtol=1e-6)


def test_other_numbers_of_experts_are_refused():
    share, three, key = jnp.ones(4) / 4, jnp.zeros((3, 2)), jax.random.key(0)
    for params, rest in ((three, share), (share, three)):
        with pytest.raises(AssertionError, match="Chex"):
            restarts.restart_idle(params, rest, share, key, SETTINGS)
    with pytest.raises(AssertionError, match="Chex"):
        restarts.restart_idle(share, share, share, jax.random.split(key), SETTINGS)
    for wins in (jnp.ones(3), jnp.ones((4, 1))):
        with pytest.raises(AssertionError, match="Chex"):
            restarts.running_share(share, wins, SETTINGS)
