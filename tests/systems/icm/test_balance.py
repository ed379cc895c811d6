import jax.numpy as jnp
import numpy as np

from icm_jax.systems.icm import balance


def test_handicaps_of_known_shares():
    share = jnp.array([0.5, 0.25, 0.25 / np.e, 0.25 - 0.25 / np.e])
    found = balance.handicaps(share, 0.5)
    excess = [np.log(2), 0, -1, np.log(1 - 1 / np.e)]
    np.testing.assert_allclose(found, -0.5 * np.array(excess), atol=1e-6)
    np.testing.assert_array_equal(balance.handicaps(jnp.array([1.0, 0.0]), 9.0), [-1, 1])
    np.testing.assert_array_equal(balance.handicaps(jnp.array([1.0, 0.0]), 0.0), [0, 0])
