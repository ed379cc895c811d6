import jax.numpy as jnp
import numpy as np

from icm_jax.networks.divergence import kl_divergence


def test_kl_divergence_by_hand():
    # Mean 1, variance 1: 1/2. Mean 0, variance 4: (4 - 1 - log 4) / 2.
    divergence = kl_divergence(jnp.array([[1.0, 0.0], [0.0, 0.0]]), jnp.log(jnp.eye(2) * 3 + 1))
    np.testing.assert_allclose(divergence, np.array([0.5, 0]) + (3 - np.log(4)) / 2, rtol=1e-6)
