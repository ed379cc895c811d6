"""Images that invariant classifiers are examined with: cue conflicts and ImageNet-9."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from icm_jax.data.image_files import image_files
from icm_jax.data.images import decode, resize
from icm_jax.systems.counterfactual.imagenet import classes

VARIANTS = ("mixed_same", "mixed_rand")  # backgrounds of images of the same class, and of any
_CONFLICT = re.compile(r"([a-z]+)\d+-([a-z]+)\d+", re.IGNORECASE)  # cat7-bottle2.png


class Conflicts(NamedTuple):
    """N images with the shape of one category and the texture of another.

    Attributes:
      images: uint8 `[N, S, S, 3]`.
      shapes: indices of categories, int32 `[N]`, see `classes.cue_conflict`.
      textures: likewise.
    """

    images: np.ndarray
    shapes: np.ndarray
    textures: np.ndarray


def read_conflicts(root: str, size: int, field: str) -> Conflicts:
    """Reads the cue-conflict images of Geirhos et al. 2019, `cat/cat7-bottle2.png`.

    Pairs of the same shape and texture are left out.

    Args:
      root: folder or zip.
      size: pixels a side to which they are resized.
      field: what gives it, for errors.

    Raises:
      FileNotFoundError, ValueError: it is not there, an image is damaged or its name tells no
        shape and texture.
    """
    names = list(classes.cue_conflict())
    images, pairs = [], []
    for path, content in image_files(root, field):
        found = _CONFLICT.fullmatch(PurePosixPath(path).stem)
        if found is None or not set(found.groups()) <= set(names):
            raise ValueError(
                f"{field}: {path!r} is not called by shape and texture, such as cat7-bottle2.png"
            )
        pair = tuple(names.index(name) for name in found.groups())
        if pair[0] != pair[1]:
            pairs.append(pair)
            images.append(_read(path, content, size, field))
    if not images:
        raise ValueError(f"{field}: {root!r} holds no image whose shape and texture differ")
    shapes, textures = np.array(pairs, np.int32).T
    return Conflicts(np.stack(images), shapes, textures)


def read_in9(root: str, size: int, field: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads two variants of ImageNet-9 (Xiao et al. 2021), `mixed_same/val/00_dog/...`.

    Args:
      root: folder or zip with both of `VARIANTS`.
      size: pixels a side to which they are resized.
      field: what gives it, for errors.

    Returns:
      Variant -> images uint8 `[N, S, S, 3]`, labels int32 `[N]`.

    Raises:
      FileNotFoundError, ValueError: it is not there, an image is damaged or in no folder of a
        variant and class.
    """
    read = {name: ([], []) for name in VARIANTS}
    for path, content in image_files(root, field):
        folders = PurePosixPath(path).parts[:-1]
        variant = next((name for name in VARIANTS if name in folders), None)
        if variant is None:
            continue  # others of its variants, which nothing here needs
        label = re.match(r"0?([0-8])_", folders[-1])
        if label is None:
            raise ValueError(
                f"{field}: {path!r} is in no folder of a class, such as {variant}/val/00_dog"
            )
        images, labels = read[variant]
        images.append(_read(path, content, size, field))
        labels.append(int(label[1]))
    if missing := [name for name, (images, _) in read.items() if not images]:
        raise ValueError(f"{field}: {root!r} has no images in a folder {missing[0]!r}")
    return {name: (np.stack(i), np.array(la, np.int32)) for name, (i, la) in read.items()}


def _read(path: str, content: bytes, size: int, field: str) -> np.ndarray:
    image = resize(decode(content, f"{field}: {path!r}"), size)
    return np.broadcast_to(image, (size, size, 3))
