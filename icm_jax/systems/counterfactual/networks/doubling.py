"""A 3x3 convolution of an image at twice its resolution, without making that image.

Where every pixel stands twice in each direction a 3x3 window sees only 2x2 different ones. So it is
a transposed convolution of the small image (`icm_jax.networks.transposed`) with a kernel of 4x4,
sums of the 3x3 kernel's entries. That is 2.25 times less work.
"""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from icm_jax.networks.transposed import transpose


def convolve_doubled(conv: Callable[..., jax.Array], on_cpu: bool) -> Callable[..., jax.Array]:
    """A convolution of nearest neighbours at twice the resolution, with zeros around.

    Args:
      conv: as `jax.lax.conv_general_dilated`.
      on_cpu: whether gradients are computed at the small image too; elsewhere, where this was not
        measured, they are those of the doubled image.

    Returns:
      What `flax.linen.Conv` takes in its place: of images `[B, H, W, C]` and kernels
      `[3, 3, C, F]`, with strides of 1 and one pixel of padding; it makes `[B, 2H, 2W, F]`.
    """

    def convolve(lhs, rhs, window_strides, padding, **kwargs):
        chex.assert_shape(rhs, (3, 3, None, None))
        plain = functools.partial(_convolve_plainly, conv, window_strides, padding, kwargs)
        fast = transpose(
            functools.partial(conv, padding="VALID", **kwargs),
            _sum_neighbours,
            None if on_cpu else lambda saved, g: jax.vjp(plain, *saved)[1](g),
        )
        return fast(lhs, rhs)

    return convolve


def _convolve_plainly(conv, window_strides, padding, kwargs, lhs, rhs) -> jax.Array:
    doubled = lhs.repeat(2, axis=1).repeat(2, axis=2)
    return conv(doubled, rhs, window_strides, padding, **kwargs)


def _sum_neighbours(kernel: jax.Array) -> jax.Array:
    """The kernel `[4, 4, C, F]` of the transposed convolution.

    The rows that see a pixel, from the bottom, meet rows 0; 0 and 1; 1 and 2; 2 of the kernel.
    """
    for axis in (0, 1):
        first, second, third = jnp.split(kernel, 3, axis)
        kernel = jnp.concatenate([first, first + second, second + third, third], axis)
    return kernel
