"""Transposed convolutions of stride 2, by convolutions of the small image alone.

A transposed convolution puts zeros between pixels, with which XLA's on a CPU is slow, and its
gradients more so. Of a window of 4x4 pixels 2x2 are no such zeros: the values are those of four 2x2
convolutions of the small image, one for each place in a doubled pixel. What takes the gradient back
is a 4x4 convolution of stride 2, and its gradient by its kernel leads to that of the kernel. Other
kernels are made as large as 4x4 or 6x6 with zeros.
"""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

_LARGEST = 5


def convolve_transposed(conv: Callable[..., jax.Array], on_cpu: bool) -> Callable[..., jax.Array]:
    """A transposed convolution of stride 2 that doubles the side, as `jax.lax.conv_transpose`'s.

    Args:
      conv: as `jax.lax.conv_general_dilated`.
      on_cpu: elsewhere, where none of this was measured, it is `jax.lax.conv_transpose`.

    Returns:
      What `flax.linen.Conv` takes in its place: of images `[B, H, W, C]` and kernels
      `[K, K, C, F]`, K at most 5; it makes `[B, 2H, 2W, F]`, whatever strides and padding are.
    """

    def convolve(lhs, rhs, window_strides, padding, **kwargs):
        del window_strides, padding
        if not on_cpu:
            return jax.lax.conv_transpose(lhs, rhs, (2, 2), "SAME", precision=kwargs["precision"])
        return transpose(functools.partial(conv, padding="VALID", **kwargs), _enlarge)(lhs, rhs)

    return convolve


def transpose(
    conv: Callable[..., jax.Array],
    spread: Callable[[jax.Array], jax.Array],
    gradients: Callable | None = None,
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """`(lhs, rhs) -> ` the transposed convolution of images with a kernel that is made of `rhs`.

    Args:
      conv: `(images, kernel, strides) -> images`, without padding.
      spread: makes a kernel `[2M, 2M, C, F]`, linearly. Its last row leads to the row before that
        of a pixel in the doubled image, the one before it to that of the pixel, and so on.
      gradients: `((lhs, rhs), g) -> those by lhs and rhs`; where there are none, those of the small
        image.
    """

    @jax.custom_vjp
    def fast(lhs, rhs):
        return _convolve_small(conv, lhs, spread(rhs))

    if gradients is None:

        def gradients(saved, g):
            return _small_gradients(conv, spread, *saved, g)

    fast.defvjp(lambda lhs, rhs: (fast(lhs, rhs), (lhs, rhs)), gradients)
    return fast


def _enlarge(kernel: jax.Array) -> jax.Array:
    """The kernel of `jax.lax.conv_transpose` with zeros, as `transpose` takes it."""
    size = kernel.shape[0]
    chex.assert_shape(kernel, (size, size, None, None))
    if not 2 <= size <= _LARGEST:
        raise ValueError(f"kernel: {size}x{size} is not allowed; it must be 2x2 to 5x5")
    first = (size + 1) // 2  # how many rows after that of the pixel the first row leads to
    zeros = (first % 2, first + 2 - size)  # before it, and after the last: 2M in all, down to -1
    return jnp.pad(kernel, (zeros, zeros, (0, 0), (0, 0)))


def _convolve_small(conv: Callable[..., jax.Array], lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """The transposed convolution of `lhs` `[B, H, W, C]` with `rhs` `[2M, 2M, C, F]`."""
    batch, height, width, _ = lhs.shape
    seen, features = rhs.shape[0] // 2, rhs.shape[-1]
    # [M, 2, M, 2, C, F]: row that a half of a doubled pixel sees, half, and columns likewise
    kernel = rhs.reshape(seen, 2, seen, 2, *rhs.shape[2:])
    kernel = kernel.transpose(0, 2, 4, 1, 3, 5).reshape(seen, seen, rhs.shape[2], 4 * features)
    found = conv(_pad(lhs, seen - 1, 1), kernel, (1, 1))
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
    """Those by images and kernel. The sum of the first's products with `lhs` is linear in `rhs`."""

    def to_images(rhs):
        kernel = jnp.flip(spread(rhs), (0, 1)).swapaxes(2, 3)
        return conv(_pad(g, 1, kernel.shape[0] - 3), kernel, (2, 2))

    by_images, to_kernel = jax.vjp(to_images, rhs)
    return by_images, *to_kernel(lhs)


def _pad(images: jax.Array, before: int, after: int) -> jax.Array:
    return jnp.pad(images, ((0, 0), (before, after), (before, after), (0, 0)))
