"""Convolutions that double the side of an image, by convolutions of the small image alone.

A transposed convolution of 4x4 and stride 2 puts zeros between pixels. Of a 4x4 window 2x2 pixels
are none of these: the values are those of four 2x2 convolutions of the small image, one for each
place in a doubled pixel. What takes the gradient back is a 4x4 convolution of stride 2, and its
gradient by its kernel leads to that of the kernel.

Where every pixel stands twice in each direction, in place of zeros, a 3x3 window sees only 2x2
different ones, so that it is a transposed convolution whose 4x4 kernel is made of sums of the 3x3
kernel's entries. That is 2.25 times less work.
"""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp


def convolve_transposed(conv: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """A transposed convolution of 4x4 and stride 2, `jax.lax.conv_transpose` with 'SAME'.

    Args:
      conv: as `jax.lax.conv_general_dilated`.

    Returns:
      What `flax.linen.Conv` takes in its place: of images `[B, H, W, C]` and kernels
      `[4, 4, C, F]`; it makes `[B, 2H, 2W, F]`.
    """

    def convolve(lhs, rhs, window_strides, padding, **kwargs):
        del window_strides, padding
        chex.assert_shape(rhs, (4, 4, None, None))
        return _transposed(functools.partial(conv, padding="VALID", **kwargs))(lhs, rhs)

    return convolve


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
        fast = _transposed(
            functools.partial(conv, padding="VALID", **kwargs),
            _sum_neighbours,
            None if on_cpu else lambda saved, g: jax.vjp(plain, *saved)[1](g),
        )
        return fast(lhs, rhs)

    return convolve


def _transposed(
    conv: Callable[..., jax.Array],
    spread: Callable[[jax.Array], jax.Array] = lambda rhs: rhs,
    gradients: Callable | None = None,
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """`(lhs, rhs) -> ` the transposed convolution of `lhs` with `spread(rhs)`.

    Its gradients, `((lhs, rhs), g) -> those by lhs and rhs`, are computed at the small image where
    none are given.
    """

    @jax.custom_vjp
    def fast(lhs, rhs):
        return _convolve_small(conv, lhs, spread(rhs))

    if gradients is None:

        def gradients(saved, g):
            return _small_gradients(conv, spread, *saved, g)

    fast.defvjp(lambda lhs, rhs: (fast(lhs, rhs), (lhs, rhs)), gradients)
    return fast


def _convolve_plainly(conv, window_strides, padding, kwargs, lhs, rhs) -> jax.Array:
    doubled = lhs.repeat(2, axis=1).repeat(2, axis=2)
    return conv(doubled, rhs, window_strides, padding, **kwargs)


def _convolve_small(conv: Callable[..., jax.Array], lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """The transposed convolution of `lhs` `[B, H, W, C]` with `rhs` `[4, 4, C, F]`."""
    batch, height, width, _ = lhs.shape
    features = rhs.shape[-1]
    # [2, 2, 2, 2, C, F]: row that a half of a doubled pixel sees, half, and columns likewise
    kernel = rhs.reshape(2, 2, 2, 2, *rhs.shape[2:])
    kernel = kernel.transpose(0, 2, 4, 1, 3, 5).reshape(2, 2, rhs.shape[2], 4 * features)
    found = conv(_pad(lhs), kernel, (1, 1))
    found = found.reshape(batch, height + 1, width + 1, 2, 2, features)
    halves = [
        jnp.stack([found[:, a : a + height, b : b + width, a, b] for b in (0, 1)], axis=3)
        for a in (0, 1)
    ]  # [B, H, W, 2, F] each
    return jnp.stack(halves, axis=2).reshape(batch, 2 * height, 2 * width, features)


def _small_gradients(
    conv: Callable[..., jax.Array],
    spread: Callable[[jax.Array], jax.Array],
    lhs: jax.Array,
    rhs: jax.Array,
    g: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Those by images and kernel, of the transposed convolution with `spread(rhs)`.

    The sum of the first's products with `lhs` is linear in `rhs` too.
    """

    def to_images(rhs):
        return conv(_pad(g), jnp.flip(spread(rhs), (0, 1)).swapaxes(2, 3), (2, 2))

    by_images, to_kernel = jax.vjp(to_images, rhs)
    return by_images, *to_kernel(lhs)


def _sum_neighbours(kernel: jax.Array) -> jax.Array:
    """The kernel `[4, 4, C, F]` of the transposed convolution that a doubled image's is.

    The rows that see a pixel, from the bottom, meet rows 0; 0 and 1; 1 and 2; 2 of the kernel.
    """
    for axis in (0, 1):
        first, second, third = jnp.split(kernel, 3, axis)
        kernel = jnp.concatenate([first, first + second, second + third, third], axis)
    return kernel


def _pad(images: jax.Array) -> jax.Array:
    return jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
