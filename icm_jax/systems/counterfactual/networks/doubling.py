"""A 3x3 convolution of an image at twice its resolution, without making that image.

Where every pixel stands twice in each direction a 3x3 window sees only 2x2 different ones: the
values are those of four 2x2 convolutions of the small image, one for each place in a doubled pixel,
whose kernels are sums of the 3x3 kernel's entries. That is 2.25 times less work. What takes the
gradient of the doubled image back to the small one is a 4x4 convolution of stride 2, which is as
much less, and its gradient by its kernel leads to that of the 3x3 kernel.
"""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp


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
        conv_valid = functools.partial(conv, padding="VALID", **kwargs)

        @jax.custom_vjp
        def fast(lhs, rhs):
            return _convolve_small(conv_valid, lhs, rhs)

        def gradients(saved, g):
            if on_cpu:
                return _small_gradients(conv_valid, *saved, g)
            return jax.vjp(plain, *saved)[1](g)

        fast.defvjp(lambda lhs, rhs: (fast(lhs, rhs), (lhs, rhs)), gradients)
        return fast(lhs, rhs)

    return convolve


def _convolve_plainly(conv, window_strides, padding, kwargs, lhs, rhs) -> jax.Array:
    doubled = lhs.repeat(2, axis=1).repeat(2, axis=2)
    return conv(doubled, rhs, window_strides, padding, **kwargs)


def _convolve_small(conv: Callable[..., jax.Array], lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    batch, height, width, _ = lhs.shape
    features = rhs.shape[-1]
    # [2, 2, 2, 2, C, F]: row that a half of a doubled pixel sees, half, and columns likewise
    kernel = jnp.flip(_sum_neighbours(rhs), (0, 1)).reshape(2, 2, 2, 2, *rhs.shape[2:])
    kernel = kernel.transpose(0, 2, 4, 1, 3, 5).reshape(2, 2, rhs.shape[2], 4 * features)
    found = conv(_pad(lhs), kernel, (1, 1))
    found = found.reshape(batch, height + 1, width + 1, 2, 2, features)
    halves = [
        jnp.stack([found[:, a : a + height, b : b + width, a, b] for b in (0, 1)], axis=3)
        for a in (0, 1)
    ]  # [B, H, W, 2, F] each
    return jnp.stack(halves, axis=2).reshape(batch, 2 * height, 2 * width, features)


def _small_gradients(
    conv: Callable[..., jax.Array], lhs: jax.Array, rhs: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Those by images and kernel. The sum of their products with `lhs` is linear in `rhs` too."""

    def to_images(rhs):
        return conv(_pad(g), _sum_neighbours(rhs).swapaxes(2, 3), (2, 2))

    by_images, to_kernel = jax.vjp(to_images, rhs)
    return by_images, *to_kernel(lhs)


def _sum_neighbours(kernel: jax.Array) -> jax.Array:
    """What leads from a pixel to the 4x4 of the doubled image that see it, `[4, 4, C, F]`.

    The rows that see it from the top meet rows 2; 1 and 2; 0 and 1; 0 of the kernel.
    """
    for axis in (0, 1):
        first, second, third = jnp.split(kernel, 3, axis)
        kernel = jnp.concatenate([third, second + third, first + second, first], axis)
    return kernel


def _pad(images: jax.Array) -> jax.Array:
    return jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
