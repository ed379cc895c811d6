"""Files of named arrays (.npz), read without trust: errors name the field and the file."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np


def read_npz(path: Path, names: Sequence[str], field: str) -> list[np.ndarray]:
    """The arrays of these names in a file.

    Raises:
      ValueError: beginning with `field`; it cannot be read, or lacks one.
    """
    with _opened(path, field) as arrays:
        missing = [name for name in names if name not in arrays.files]
        found = [arrays[name] for name in names if name not in missing]
        there = ", ".join(arrays.files)
    if missing:
        needed = f"{', '.join(names)} {'are' if len(names) > 1 else 'is'} needed"
        raise ValueError(
            f"{field}: {str(path)!r} has no array {', '.join(missing)}; it has {there or 'none'}, "
            f"and {needed}"
        )
    return found


def read_all_npz(path: Path, field: str) -> dict[str, np.ndarray]:
    """All arrays of a file by name.

    Raises:
      ValueError: beginning with `field`; it cannot be read.
    """
    with _opened(path, field) as arrays:
        return {name: arrays[name] for name in arrays.files}


def names_in_npz(path: Path, field: str) -> list[str]:
    """The names of a file's arrays, none of which is read.

    Raises:
      ValueError: beginning with `field`; it cannot be read.
    """
    with _opened(path, field) as arrays:
        return list(arrays.files)


@contextlib.contextmanager
def _opened(path: Path, field: str) -> Iterator[np.lib.npyio.NpzFile]:
    try:
        # NumPy would leave a damaged file open that it opened itself.
        with path.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
            yield arrays
    except Exception as error:
        # BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError if encrypted, ...
        raise ValueError(f"{field}: {str(path)!r} cannot be read: {error}") from error
