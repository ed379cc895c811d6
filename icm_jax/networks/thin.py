"""Convolutions 3x3 of stride 1 with few channels on one side, fast on a CPU.

XLA's CPU convolution runs at a tenth of its rate where it takes or makes one channel. A convolution
is also the sum, over the nine places of its kernel, of shifted images times what the kernel has
there: from few channels that is one loop over the images, and to few channels one matrix product
makes the nine parts of every pixel. Unlike XLA's they stay fast under `jax.vmap` over kernels as
they are, and one program for all kernels compiles faster than one for each.

The limits are where this won in processor time on one core with AVX-512, with the activation or
batch norm beside it: 1 to 16 channels 2 to 3 times, 3 to 16 1.2 to 2.3, 32 to 1 2 times, the
gradient of the latter's kernel 6, and 40 times with a kernel an image.
"""

from collections.abc import Callable, Iterator, Sequence

import chex
import jax
import jax.numpy as jnp

_SIZE = 3
_PLACES = [(down, across) for down in range(_SIZE) for across in range(_SIZE)]
_FEW = 5
_MOST_WIDENED, _MOST_NARROWED = 96, 64  # channels taken times channels made
_MOST_ALONE, _MOST_MADE_ALONE = 48, 16
_LEAST_TAKEN = 8

# Zeros before and after, of H and of W, 0 to 2 each
Padding = Sequence[tuple[int, int]]
# (images [B, H, W, C], kernel [3, 3, C, F], padding) -> [B, H', W', F]
Convolve = Callable[[jax.Array, jax.Array, Padding], jax.Array]


def suits(kernel: jax.Array, strides: Sequence[int], padding: Padding) -> bool:
    """Whether a convolution is one of those that the functions of this module compute."""
    same = kernel.shape[:2] == (_SIZE, _SIZE) and kernel.dtype == jnp.float32
    inside = all(0 <= zeros < _SIZE for pair in padding for zeros in pair)
    return same and inside and all(stride == 1 for stride in strides)


def choose(taken: int, made: int) -> Convolve | None:
    """What convolves from and to so many channels faster than XLA does; None where nothing."""
    if taken <= _FEW and taken * made <= _MOST_WIDENED:
        return widen
    if made <= _FEW and taken * made <= _MOST_NARROWED:
        return narrow
    return None


def is_faster_alone(taken: int, made: int) -> bool:
    """Whether what is chosen is also faster forward with one kernel, not only with a kernel mapped.

    XLA joins `widen` with what follows, and computes it again for every branch of that: of an
    activation, or of the moments of a batch.
    """
    return made <= _FEW or (taken * made <= _MOST_ALONE and made <= _MOST_MADE_ALONE)


def has_faster_gradient(taken: int, made: int) -> bool:
    """Whether `kernel_gradient` is faster than XLA's for so many channels taken and made."""
    return made <= _FEW and taken >= _LEAST_TAKEN


def widen(images: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """Convolves images of few channels.

    Args:
      images: float32 `[B, H, W, C]`.
      kernel: float32 `[3, 3, C, F]`.
      padding: zeros around images.

    Returns:
      `[B, H', W', F]`.

    Raises:
      AssertionError: images and kernel are of other shapes, or of different channels.
    """
    _check(images, kernel)
    filters = kernel.reshape(*kernel.shape[:3], 1, 1, 1, -1)
    return sum(
        part[..., channel, None] * filters[*place, channel]
        for place, part in zip(_PLACES, _shifted(_pad(images, padding)), strict=True)
        for channel in range(images.shape[-1])
    )


def narrow(images: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """Convolves images to few channels; arguments, result and errors are those of `widen`."""
    _check(images, kernel)
    made = kernel.shape[-1]
    places = kernel.transpose(2, 0, 1, 3).reshape(images.shape[-1], -1)  # [C, 9F]
    parts = _pad(jnp.matmul(images, places, precision=jax.lax.Precision.HIGHEST), padding)
    return sum(
        part[..., place * made : (place + 1) * made] for place, part in enumerate(_shifted(parts))
    )


def images_gradient(
    g: jax.Array, kernel: jax.Array, padding: Padding, convolve: Convolve
) -> jax.Array:
    """The gradient of a convolution by its images, which is a convolution too.

    Args:
      g: the cotangent, float32 `[B, H', W', F]`.
      kernel: float32 `[3, 3, C, F]`.
      padding: of the convolution.
      convolve: from F to C channels.

    Returns:
      `[B, H, W, C]`.
    """
    around = [(_SIZE - 1 - before, _SIZE - 1 - after) for before, after in padding]
    return convolve(g, jnp.flip(kernel, (0, 1)).swapaxes(2, 3), around)


def kernel_gradient(images: jax.Array, g: jax.Array, padding: Padding) -> jax.Array:
    """The gradient of a convolution to few channels by its kernel.

    Args:
      images: float32 `[B, H, W, C]`.
      g: the cotangent, float32 `[B, H', W', F]`.
      padding: of the convolution.

    Returns:
      `[3, 3, C, F]`.

    Raises:
      AssertionError: images and cotangent are of different numbers or sides.
    """
    around = [(_SIZE - 1 - before, _SIZE - 1 - after) for before, after in padding]
    # From the last place to the first: g stands still where images move.
    parts = list(_shifted(_pad(g, around)))[::-1]
    chex.assert_shape(parts, (*images.shape[:3], None))
    rows = jnp.stack([part.reshape(-1, part.shape[-1]).T for part in parts])  # [9, F, BHW]
    taken, made = images.shape[-1], g.shape[-1]
    product = jnp.matmul(
        rows.reshape(len(parts) * made, -1),
        images.reshape(-1, taken),
        precision=jax.lax.Precision.HIGHEST,
    )
    return product.reshape(_SIZE, _SIZE, made, taken).swapaxes(2, 3)


def _shifted(padded: jax.Array) -> Iterator[jax.Array]:
    """The parts of `[B, H + 2, W + 2, C]` that the nine places of a kernel see: `[B, H, W, C]`."""
    height, width = (side - _SIZE + 1 for side in padded.shape[1:3])
    for down, across in _PLACES:
        yield padded[:, down : down + height, across : across + width]


def _pad(images: jax.Array, padding: Padding) -> jax.Array:
    return jnp.pad(images, ((0, 0), *padding, (0, 0)))


def _check(images: jax.Array, kernel: jax.Array) -> None:
    chex.assert_rank(images, 4)
    chex.assert_shape(kernel, (_SIZE, _SIZE, images.shape[-1], None))
