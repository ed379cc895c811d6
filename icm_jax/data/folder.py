"""A directory or a zip of PNG, JPEG, GIF or BMP images, whose sub-folders are the classes."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from icm_jax.data.image_files import image_files
from icm_jax.data.images import decode, resize, stack
from icm_jax.data.split import held_out
from icm_jax.data.types import Dataset, Splits


def load(root: str, size: int = 0) -> Splits:
    """Loads images from a directory or a zip, in the order of their paths.

    The class of an image is the folder it lies in, at whatever depth (`Greek/character03`);
    labels number these folders from 0 in sorted order. Attributes are `class`, that folder, and
    `path`, both as text.

    Where all images lie in folders `train` and `test` (or `val`), below at most one folder around
    them, those are the splits, and not part of the class. Otherwise the tenth of the images whose
    paths have the lowest MD5 is the test split: always the same, whatever the seed.

    Args:
      root: the directory or zip.
      size: images are resized to this many pixels a side, with antialiasing; 0 leaves them as
        they are.

    Returns:
      uint8 `[N, H, W, C]` images, C = 1 if all of them are grey.

    Raises:
      FileNotFoundError: if `root` is neither a directory nor a zip.
      ValueError: if an image is damaged, too large or lies outside of `root`, if there are fewer
        than two, if they have different sizes and `size` is 0, or if there are more folders
        beside `train` and `test`.
    """
    if not root:
        raise FileNotFoundError(
            "data.dir: '' is empty; data.source 'folder' needs a directory or zip"
        )
    paths, images = [], []
    for path, content in image_files(root):
        paths.append(path)
        images.append(resize(decode(content, f"data.dir: {path!r}"), size))
    if len(paths) < 2:
        raise ValueError(
            f"data.dir: {root!r} has {len(paths)} images; at least 2 are needed, one to train on "
            "and one to test on"
        )
    classes, is_test = _classify(paths)
    names, labels = np.unique(classes, return_inverse=True)
    dataset = Dataset(
        stack(images, [repr(path) for path in paths]),
        labels.astype(np.int32),
        {"class": names[labels], "path": np.array(paths)},
    )
    return Splits(dataset.take(~is_test), dataset.take(is_test))


def _classify(paths: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The class of each image, and bool `[N]`, whether it belongs to the test split."""
    parents = [PurePosixPath(path).parent.parts for path in paths]
    for depth in (0, 1):
        # Below `depth` folders that all images share.
        if len({parts[:depth] for parts in parents}) > 1:
            break
        tops = [parts[depth] if len(parts) > depth else "" for parts in parents]
        if "train" in tops and ("test" in tops or "val" in tops):
            if len(set(tops)) > 2:
                raise ValueError(
                    f"data.dir: the folders at the top are {sorted(set(tops))}; beside 'train' "
                    "there should be 'test' or 'val' alone"
                )
            classes = ["/".join(parts[depth + 1 :]) for parts in parents]
            return classes, np.array([top != "train" for top in tops])
    return ["/".join(parts) for parts in parents], held_out(paths)
