"""Max pooling whose gradient is fast on a CPU.

XLA's own takes the gradient of a window's maximum by a scatter that runs one number at a time: that
of 64 images of 32x32 with 32 channels, 3x3 windows, took 57 ms of one core where the forward pass
took 3, and as maxima of slices 4. Values are the same bit for bit, and gradients but for the order
in which those of overlapping windows are added.
"""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp

_STRIDE = 2


def max_pool(
    x: jax.Array, size: int = 2, padding: str | Sequence[tuple[int, int]] = "VALID"
) -> jax.Array:
    """The maxima of windows `size` x `size`, two pixels apart.

    Where several are largest the first in reading order gets the gradient, as in
    `flax.linen.max_pool` and PyTorch. NaN anywhere in a window makes it NaN.

    Args:
      x: floats `[B, H, W, C]`.
      size: of a window.
      padding: with minus infinity, as in `flax.linen.max_pool`.

    Returns:
      `[B, H', W', C]` of the same type.
    """
    chex.assert_rank(x, 4)
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(x.shape[1:3], (size, size), (_STRIDE, _STRIDE), padding)
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-jnp.inf)
    # Columns before rows, so that the first in reading order is met first.
    for axis in (2, 1):
        count = (x.shape[axis] - size) // _STRIDE + 1
        x, *others = (
            jax.lax.slice_in_dim(x, at, at + _STRIDE * (count - 1) + 1, _STRIDE, axis)
            for at in range(size)
        )
        for other in others:
            x = jnp.where((x >= other) | jnp.isnan(x), x, other)
    return x
