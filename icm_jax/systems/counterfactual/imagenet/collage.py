"""A collage of an object's patches: its texture without its shape."""

from typing import NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

_SHARPNESS = -0.75  # of PyTorch's bicubic interpolation


class Collage(NamedTuple):
    """What collages are made of; the defaults are published.

    Attributes:
      size: pixels a side to which images are resized first.
      patch: pixels a side of a patch.
      best: how many patches are drawn from: those that the mask covers most.
      rows: patches a side of the collage.
    """

    size: int = 128
    patch: int = 15
    best: int = 100
    rows: int = 6


def make_collages(images: jax.Array, masks: jax.Array, key: jax.Array, how: Collage) -> jax.Array:
    """Puts together patches that lie on the object, drawn with replacement.

    Args:
      images: `[B, S, S, 3]`.
      masks: where the object is, `[B, S, S, 1]`.
      key: typed key `[]`.
      how: see `Collage`.

    Returns:
      `[B, S, S, 3]`. No gradient passes through it.
    """
    chex.assert_rank([images, masks], 4)
    side = images.shape[1]
    small, cover = (resize_bicubic(jax.lax.stop_gradient(x), how.size) for x in (images, masks))
    means = nn.avg_pool(cover, (how.patch, how.patch))[..., 0]
    _, best = jax.lax.top_k(means.reshape(len(means), -1), how.best)
    draws = (len(images), how.rows**2)
    chosen = jnp.take_along_axis(best, jax.random.randint(key, draws, 0, how.best), axis=1)
    columns = means.shape[2]
    patches = jax.vmap(_cut, (0, 0, 0, None))(small, chosen // columns, chosen % columns, how.patch)
    grid = patches.reshape(-1, how.rows, how.rows, how.patch, how.patch, images.shape[-1])
    whole = how.rows * how.patch
    grid = grid.transpose(0, 1, 3, 2, 4, 5).reshape(-1, whole, whole, images.shape[-1])
    return resize_bicubic(grid, side)


def resize_bicubic(images: jax.Array, size: int) -> jax.Array:
    """Resizes `[B, H, W, C]` to `[B, size, size, C]` as PyTorch does: bicubic, not antialiased."""
    rows, columns = (jnp.asarray(_bicubic(side, size)) for side in images.shape[1:3])
    highest = jax.lax.Precision.HIGHEST
    return jnp.einsum("ph,bhwc,qw->bpqc", rows, images, columns, precision=highest)


def _cut(image: jax.Array, rows: jax.Array, columns: jax.Array, size: int) -> jax.Array:
    """The patches of an image `[S, S, C]` whose first pixels are given, `[P, size, size, C]`."""

    def cut(row: jax.Array, column: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (row, column, 0), (size, size, image.shape[-1]))

    return jax.vmap(cut)(rows, columns)


def _bicubic(before: int, after: int) -> np.ndarray:
    """The weights of `before` pixels in each of `after`, float32 `[after, before]` (Keys 1981)."""
    places = (np.arange(after) + 0.5) * before / after - 0.5
    first = np.floor(places).astype(int)
    weights = np.zeros((after, before), np.float32)
    for offset in range(-1, 3):
        away = np.abs(places - (first + offset))
        near = (_SHARPNESS + 2) * away**3 - (_SHARPNESS + 3) * away**2 + 1
        far = _SHARPNESS * (away**3 - 5 * away**2 + 8 * away - 4)
        # Beyond the border is the border's pixel.
        where = np.clip(first + offset, 0, before - 1)
        np.add.at(weights, (np.arange(after), where), np.where(away <= 1, near, far))
    return weights
