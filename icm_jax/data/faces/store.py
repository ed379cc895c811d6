"""Faces that were read once, kept on the disk: the next run does not decode them again."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from icm_jax import cache, paths

_log = logging.getLogger(__name__)

VERSION = 2  # Of all readers and of the file: another number, and everything is read again.
_ATTRIBUTE = "attribute/"


class Table(NamedTuple):
    """What is kept of N faces.

    Attributes:
      images: uint8 `[N, H, W, C]`.
      attributes: name -> numbers or text `[N]`.
      skipped: what was left out, in words.
    """

    images: np.ndarray
    attributes: dict[str, np.ndarray]
    skipped: str


def through(name: str, root: str, size: int, read: Callable[[], Table]) -> Table:
    """What `read` returns, from the disk where it was read before from the same files.

    Files are the same if their paths, sizes and times of change are. A damaged file is made
    again; where none can be written, that is logged and nothing else.

    Args:
      name: of the data set.
      root: its directory or zip.
      size: that images are resized to.
      read: called where nothing is kept.
    """
    path = paths.local(root, "data.dir").resolve()
    key = json.dumps([VERSION, str(path), paths.digest_listing(path, "data.dir")])
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:16]
    file = cache.folder("faces") / f"{name}-{size}-{digest}.npz"
    try:
        return _load(file)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except Exception as error:
        # BadZipFile, ValueError, KeyError, EOFError, zlib.error, ...
        _log.warning("%s is damaged (%s) and made again", file, error)
    table = read()
    try:
        _save(file, table)
    except OSError as error:
        _log.warning("%s cannot be written: %s", file, error)
    return table


def _load(file: Path) -> Table:
    # NumPy would leave a damaged file open that it opened itself.
    with file.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
        images, skipped = arrays["images"], str(arrays["skipped"])
        attributes = {
            key.removeprefix(_ATTRIBUTE): arrays[key]
            for key in arrays.files
            if key.startswith(_ATTRIBUTE)
        }
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"images are {images.dtype} {images.shape}")
    if any(values.shape != images.shape[:1] for values in attributes.values()):
        raise ValueError("images and attributes are not equally many")
    return Table(images, attributes, skipped)


def _save(file: Path, table: Table) -> None:
    attributes = {_ATTRIBUTE + key: values for key, values in table.attributes.items()}
    arrays = {"images": table.images, "skipped": np.array(table.skipped), **attributes}
    cache.write_arrays(file, arrays)
