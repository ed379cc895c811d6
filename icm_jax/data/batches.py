"""Batches drawn on the device, inside the compiled step, from images that stay uint8."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.data.types import Pool


def draw_indices(key: jax.Array, pool: Pool, batch_size: int) -> jax.Array:
    """Draws which images make a batch: int32 `[B]`, uniform in the pool, with replacement."""
    return pool.index[jax.random.randint(key, (batch_size,), 0, pool.count, dtype=jnp.int32)]


def to_float(images: jax.Array) -> jax.Array:
    """uint8 images of any shape, 0 to 255, as float32 in [0, 1].

    Raises:
      AssertionError: if the images are not uint8.
    """
    chex.assert_type(images, jnp.uint8)
    return images.astype(jnp.float32) / 255


def to_bytes(images: np.ndarray) -> np.ndarray:
    """float32 images of any shape, white at 1, as the nearest uint8; what is beyond is cut off."""
    return np.round(255 * np.asarray(images).clip(0, 1)).astype(np.uint8)


def draw(key: jax.Array, images: jax.Array, pool: Pool, batch_size: int) -> jax.Array:
    """Draws a batch with replacement: uint8 `[N, H, W, C]` -> float32 `[B, H, W, C]` in [0, 1].

    It takes the images at `draw_indices(key, pool, batch_size)`, so the same key draws their
    labels.
    """
    chex.assert_rank(images, 4)
    return to_float(images[draw_indices(key, pool, batch_size)])


def pad(images: jax.Array, size: int) -> jax.Array:
    """Zeros around images: `[..., H, W, C]` -> `[..., size, size, C]`, the dtype unchanged.

    The image stays in the middle; where the margin is odd, right and bottom get the odd pixel. A
    `size` of 0 pads nothing.

    Raises:
      ValueError: if an image is larger than `size`.
    """
    if not size:
        return images
    height, width = images.shape[-3:-1]
    if max(height, width) > size:
        raise ValueError(
            f"data.pad: {size} is less than the images' {height}x{width} pixels; 0 pads nothing"
        )
    margins = [((size - length) // 2, (size - length + 1) // 2) for length in (height, width)]
    return jnp.pad(images, [(0, 0)] * (images.ndim - 3) + margins + [(0, 0)])


def shift(key: jax.Array, images: jax.Array, most: int) -> jax.Array:
    """Moves each image by up to `most` pixels in both directions; what comes in is 0.

    Args:
      key: typed key.
      images: `[B, H, W, C]`, any dtype.
      most: 0 moves nothing.

    Returns:
      Images of the same shape; all of the (2 most + 1)^2 moves have the same chance.
    """
    padded = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    start = jax.random.randint(key, (len(images), 2), 0, 2 * most + 1)

    def cut(image, start):
        return jax.lax.dynamic_slice(image, (start[0], start[1], 0), images.shape[1:])

    return jax.vmap(cut)(padded, start)
