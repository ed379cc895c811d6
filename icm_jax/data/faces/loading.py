"""Loads a data set of faces: finds the faces, reads each once, keeps them, splits them."""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from icm_jax.data.faces import (
    celeba,
    ffhq,
    lfw,
    mask_detection,
    real_and_fake,
    store,
    tufts,
    utkface,
    yale,
)
from icm_jax.data.faces.reader import Face, Reader, Unusable
from icm_jax.data.faces.splits import to_splits
from icm_jax.data.image_files import (
    Opener,
    has_image_name,
    is_in_other_format,
    opened,
    read_file,
    read_image,
)
from icm_jax.data.images import decode, resize, stack
from icm_jax.data.types import Splits

_log = logging.getLogger(__name__)

READERS = {
    "utkface": utkface.READER,
    "celeba": celeba.READER,
    "lfw": lfw.READER,
    "ffhq": ffhq.READER,
    "tufts": tufts.READER,
    "yale": yale.READER,
    "real_and_fake": real_and_fake.READER,
    "mask_detection": mask_detection.READER,
}


class _Skipped(NamedTuple):
    """Images that are left out: those whose name says nothing, and damaged ones with the reason."""

    unknown: list[str]
    damaged: list[str]


def load(name: str, root: str, size: int = 0) -> Splits:
    """Loads a data set of faces; what is read once is kept in `~/.cache/icm_jax/faces`.

    Images that do not belong to the data set by their names, and damaged ones, are skipped; how
    many is logged.

    Args:
      name: one of `READERS`.
      root: a directory or zip of it, as published.
      size: images are resized to this many pixels a side, with antialiasing, each axis by its own
        factor; 0 leaves them as they are.

    Returns:
      uint8 `[N, H, W, C]` images, C = 1 if all of them are grey; see `to_splits` and, for labels
      and attributes, `icm_jax.data.faces`.

    Raises:
      FileNotFoundError: if `root`, or a file that the data set needs, is not there.
      ValueError: if `name` is unknown, there are fewer than two images that can be used, or they
        have different sizes and `size` is 0; or if a zip is damaged or leads out of itself.
    """
    if name not in READERS:
        raise ValueError(
            f"data.name: {name!r} is unknown to data.source 'faces'; choose one of "
            f"{', '.join(READERS)}"
        )
    if not root:
        raise FileNotFoundError(
            "data.dir: '' is empty; data.source 'faces' needs a directory or zip"
        )
    table = store.through(name, root, size, lambda: _read(name, READERS[name], root, size))
    if table.skipped:
        _log.warning("data.dir: %s", table.skipped)
    return to_splits(table.images, table.attributes, READERS[name].label)


def _read(name: str, reader: Reader, root: str, size: int) -> store.Table:
    """Reads all faces, images with antialiasing resized to `size`."""
    skipped = _Skipped([], [])
    faces, images = [], []
    with opened(root) as entries:
        for face, image in _faces(reader, entries, skipped):
            faces.append(face)
            images.append(resize(image, size))
    if len(faces) < 2:
        raise ValueError(
            f"data.dir: {os.fspath(root)!r} has {len(faces)} usable images of data.name {name!r}; "
            f"at least 2 are needed, called {reader.layout}. {_said(skipped, reader)}".rstrip()
        )
    attributes = {
        key: np.array([face.attributes[key] for face in faces]) for key in faces[0].attributes
    }
    attributes["path"] = np.array([face.path for face in faces])
    pixels = stack(images, [repr(face.path) for face in faces])
    return store.Table(pixels, attributes, _said(skipped, reader))


def _faces(
    reader: Reader, entries: Mapping[str, Opener], skipped: _Skipped
) -> Iterator[tuple[Face, np.ndarray]]:
    """Yields faces with their pixels, uint8 `[H, W, C]`; adds to `skipped`."""
    beside_names = tuple(name.lower() for name in reader.beside)
    beside = {
        path: read_file(path, entries[path], "data.dir")
        for path in entries
        if reader.beside and PurePosixPath(path).name.lower().endswith(beside_names)
    }
    seen, image = "", None
    unknown = dict.fromkeys(filter(has_image_name, entries))
    found = reader.faces([path for path in entries if path not in beside], beside)
    for face in tqdm(found, "data", unit="image", delay=2, disable=None):
        unknown.pop(face.path, None)
        if isinstance(face, Unusable):
            skipped.damaged.append(face.reason)
            continue
        # The faces of one image follow each other: it is decoded once.
        if face.path != seen:
            seen, image = face.path, _decoded(face.path, entries, skipped)
        cropped = image if image is None or face.box is None else _cropped(image, face, skipped)
        if cropped is not None:
            yield face, cropped
    skipped.unknown.extend(unknown)
    others = filter(is_in_other_format, entries)
    skipped.damaged.extend(f"{path!r} is in a format that is not read" for path in others)


def _decoded(path: str, entries: Mapping[str, Opener], skipped: _Skipped) -> np.ndarray | None:
    content = read_image(path, entries[path], "data.dir")
    try:
        return decode(content or b"", repr(path))
    except ValueError as error:
        skipped.damaged.append(str(error))
        return None


def _cropped(image: np.ndarray, face: Face, skipped: _Skipped) -> np.ndarray | None:
    left, top, right, bottom = (max(edge, 0) for edge in face.box)
    part = image[top:bottom, left:right]
    if not part.size:
        skipped.damaged.append(f"{face.where} has the box {face.box}, outside of {face.path!r}")
        return None
    return part


def _said(skipped: _Skipped, reader: Reader) -> str:
    """What was skipped in one line, '' where nothing was."""
    parts = []
    if skipped.unknown:
        parts.append(f"{len(skipped.unknown)} not called {reader.layout} ({skipped.unknown[0]!r})")
    if skipped.damaged:
        parts.append(f"{len(skipped.damaged)} damaged ({skipped.damaged[0]})")
    total = len(skipped.unknown) + len(skipped.damaged)
    return f"skipped {total} images: {', '.join(parts)}" if parts else ""
