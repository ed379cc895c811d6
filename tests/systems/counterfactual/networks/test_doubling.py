"""Convolutions of doubled images against those that double them first."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolutions import assert_same_with_gradients

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.networks.doubling import convolve_doubled


@pytest.mark.parametrize("on_cpu", [True, False])
def test_values_and_gradients_are_those_of_the_doubled_image(on_cpu):
    def doubled(x, kernel):
        images = jnp.kron(x, jnp.ones((1, 2, 2, 1)))
        axes = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=axes)

    around = functools.partial(convolve_doubled, on_cpu=on_cpu)
    assert_same_with_gradients(Compute().conv(7, around=around, use_bias=False), doubled)


def test_a_pixel_becomes_the_sums_of_its_corners():
    # One pixel of 1, a kernel of 1 to 9: its doubled image of four ones is met by the windows.
    conv = Compute().conv(
        1, around=functools.partial(convolve_doubled, on_cpu=True), use_bias=False
    )
    kernel = jnp.arange(1.0, 10).reshape(3, 3, 1, 1)
    found = conv.apply({"params": {"kernel": kernel}}, jnp.ones((1, 1, 1, 1)))
    # Upper left: 5 + 6 + 8 + 9; upper right: 4 + 5 + 7 + 8; and so on.
    np.testing.assert_allclose(found[0, :, :, 0], [[28, 24], [16, 12]])
