"""Transposed convolutions by the small image against XLA's own."""

import jax
import jax.numpy as jnp
import pytest
from convolutions import assert_same_with_gradients

from icm_jax.networks.compute import Compute


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_values_and_gradients_are_those_of_a_transposed_convolution(size, platform):
    def transposed(x, kernel):
        return jax.lax.conv_transpose(x, kernel, (2, 2), "SAME")

    compute = Compute(convolution="unrolled", platform=platform)
    assert_same_with_gradients(compute.conv_transposed(7, size, use_bias=False), transposed)


def test_larger_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel: 6x6 is not allowed; it must be 2x2 to 5x5"):
        Compute().conv_transposed(1, 6).init(jax.random.key(0), jnp.ones((1, 2, 2, 1)))
