import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.counterfactual.imagenet.frozen import draw_variables
from icm_jax.systems.counterfactual.imagenet.networks.spectral import SpectralConv


class Small(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = SpectralConv(6, 3, name="conv")(x)
        return nn.BatchNorm(use_running_average=True, name="norm")(x)


def test_random_variables_are_normal_of_unit_norm_and_those_of_the_network():
    images = jnp.zeros((1, 8, 8, 40))
    variables = draw_variables(Small(), np.random.default_rng(0), images)
    wanted = jax.eval_shape(Small().init, jax.random.key(0), images)
    chex.assert_trees_all_equal_shapes_and_dtypes(variables, dict(wanted))
    kernel = variables["params"]["conv"]["kernel"]
    np.testing.assert_allclose(kernel.std() * np.sqrt(360), 1, atol=0.05)
    matrix, spectral = kernel.reshape(360, 6), variables["spectral"]["conv"]
    norm = spectral["v"] @ matrix @ spectral["u"]
    np.testing.assert_allclose(norm, np.linalg.svd(matrix)[1][0], rtol=0.02)
    np.testing.assert_array_equal(variables["params"]["norm"]["scale"], np.ones(6))
    np.testing.assert_array_equal(variables["batch_stats"]["norm"]["var"], np.ones(6))
    np.testing.assert_array_equal(variables["params"]["conv"]["bias"], np.zeros(6))
    made = Small().apply(variables, jax.random.normal(jax.random.key(1), (2, 8, 8, 40)))
    assert 0.1 < float(made.std()) < 2
