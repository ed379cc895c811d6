import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.networks import activations


def test_elu_has_the_value_and_the_gradient_of_flax():
    x = jnp.array([-90.0, -3.0, -1e-3, 0.0, 1e-3, 2.0])
    np.testing.assert_array_equal(activations.elu(x), nn.elu(x))
    gradient = jax.grad(lambda x: (activations.elu(x) * jnp.arange(1.0, 7.0)).sum())(x)
    by_hand = np.array([0.0, 2 * np.exp(-3), 3 * np.exp(-1e-3), 4.0, 5.0, 6.0])
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-6, atol=1e-7)
