"""Textures of classes, from files or made, and crops of them."""

from pathlib import PurePosixPath

import chex
import jax
import numpy as np
from PIL import Image

from icm_jax.data.image_files import image_files
from icm_jax.data.images import decode
from icm_jax.systems.counterfactual.biased import procedural
from icm_jax.systems.counterfactual.biased.colors import to_signed

SIDE = 150  # pixels, before the margin
_MARGIN = 3  # pixels that are reflected at each side
_FOLDERS = {"objects": "object", "backgrounds": "background"}


def load_textures(root: str, classes: int) -> dict[str, np.ndarray]:
    """Loads or makes textures.

    Args:
      root: a folder or zip with images in `object` and in `background`, of which the i-th by name
        is of class i; '' for made ones, see `procedural`.
      classes: how many are needed of each, L; others are left.

    Returns:
      `objects` and `backgrounds`, uint8 `[L, 156, 156, 3]`: 150 x 150 pixels by Pillow's nearest
      neighbours in a reflected margin.

    Raises:
      FileNotFoundError: there is no such folder or zip.
      ValueError: there are too few images, or one cannot be used.
    """
    if root:
        made = {name: _read(root, folder, classes) for name, folder in _FOLDERS.items()}
    else:
        made = {
            "objects": procedural.make_striped(SIDE, classes),
            "backgrounds": procedural.make_veined(SIDE, classes),
        }
    margins = [(0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)]
    return {name: np.pad(images, margins, mode="reflect") for name, images in made.items()}


def draw_crops(textures: jax.Array, whose: jax.Array, size: int, key: jax.Array) -> jax.Array:
    """Draws a square of a texture for each image, every place alike.

    Args:
      textures: uint8 `[L, S, S, 3]`.
      whose: which one, int32 `[B]` in [0, L).
      size: pixels a side, at most S.
      key: typed key.

    Returns:
      float32 `[B, size, size, 3]` in [-1, 1].
    """
    chex.assert_rank([textures, whose], [4, 1])
    corners = jax.random.randint(key, (len(whose), 2), 0, textures.shape[1] - size + 1)

    def cut(index, corner):
        return jax.lax.dynamic_slice(textures, (index, *corner, 0), (1, size, size, 3))[0]

    return to_signed(jax.vmap(cut)(whose, corners))


def _read(root: str, folder: str, classes: int) -> np.ndarray:
    """The first images of a folder in `root`, uint8 `[classes, 150, 150, 3]`."""
    found = [
        (path, content)
        for path, content in image_files(root, "data.textures")
        if PurePosixPath(path).parent == PurePosixPath(folder)
    ]
    if len(found) < classes:
        raise ValueError(
            f"data.textures: {root!r} has {len(found)} images in its folder {folder!r}; "
            f"{classes} are needed, of which the i-th by name is of class i"
        )
    images = np.empty((classes, SIDE, SIDE, 3), np.uint8)
    for image, (path, content) in zip(images, found, strict=False):
        picture = decode(content, f"data.textures: {path!r}")
        colored = Image.fromarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
        image[...] = colored.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return images
