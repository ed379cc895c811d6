"""Convolutions of doubled images against those that double them first."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.networks.doubling import convolve_doubled, convolve_transposed


def plain_doubled(x, kernel):
    doubled = jnp.kron(x, jnp.ones((1, 2, 2, 1)))
    return jax.lax.conv_general_dilated(
        doubled, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def plain_transposed(x, kernel):
    return jax.lax.conv_transpose(x, kernel, (2, 2), "SAME")


@pytest.mark.parametrize(
    ("size", "around", "plain"),
    [
        (3, functools.partial(convolve_doubled, on_cpu=True), plain_doubled),
        (3, functools.partial(convolve_doubled, on_cpu=False), plain_doubled),
        (4, convolve_transposed, plain_transposed),
    ],
)
def test_values_and_gradients_are_those_of_the_image_that_is_not_made(size, around, plain):
    rng = np.random.RandomState(0)
    x = jnp.asarray(rng.normal(size=(3, 3, 4, 5)), jnp.float32)
    weights = jnp.asarray(rng.normal(size=(3, 6, 8, 7)), jnp.float32)
    fast = Compute().conv(7, size, around=around, use_bias=False)
    params = jax.jit(fast.init)(jax.random.key(0), x)

    def of_fast(params, x):
        return fast.apply(params, x)

    def of_plain(params, x):
        return plain(x, params["params"]["kernel"])

    @jax.jit
    def both(params, x):
        def gradients(f):
            return jax.grad(lambda *args: (f(*args) * weights).sum(), (0, 1))(params, x)

        return [(f(params, x), gradients(f)) for f in (of_fast, of_plain)]

    ours, theirs = both(params, x)
    assert ours[0].shape == (3, 6, 8, 7)
    for our, their in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(our, their, rtol=0, atol=1e-5 * np.abs(their).max())


def test_a_pixel_becomes_the_sums_of_its_corners():
    # One pixel of 1, a kernel of 1 to 9: its doubled image of four ones is met by the windows.
    conv = Compute().conv(
        1, around=functools.partial(convolve_doubled, on_cpu=True), use_bias=False
    )
    kernel = jnp.arange(1.0, 10).reshape(3, 3, 1, 1)
    found = conv.apply({"params": {"kernel": kernel}}, jnp.ones((1, 1, 1, 1)))
    # Upper left: 5 + 6 + 8 + 9; upper right: 4 + 5 + 7 + 8; and so on.
    np.testing.assert_allclose(found[0, :, :, 0], [[28, 24], [16, 12]])
