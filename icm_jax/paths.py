"""Folders as a person names them."""

import os
import re
from pathlib import Path


def is_address(path: str | os.PathLike) -> bool:
    """Whether `path` begins as `gs://bucket` does, which is no path of this machine."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", os.fspath(path)) is not None


def find_folder(path: str | os.PathLike, name: str = "workdir") -> Path:
    """The folder that `path` names, `~` being the user's.

    Args:
      path: of this machine; it need not be there.
      name: what messages call it.

    Raises:
      ValueError: it is an address, such as `gs://bucket/run`; there is no home for `~`; or it has
        brackets or a backslash, under which Orbax saves and does not find again.
    """
    if is_address(path):
        raise ValueError(
            f"{name}: {os.fspath(path)!r} is an address; it must be a path of this machine, where "
            "storage may be mounted"
        )
    try:
        folder = Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{name}: {os.fspath(path)!r}: {error}") from error
    if unsafe := re.search(r"\[.+\]|\\", str(folder.resolve())):
        raise ValueError(
            f"{name}: {str(folder)!r} has {unsafe.group()!r} in its path, under which checkpoints "
            "are not found again; choose a name without brackets and backslashes"
        )
    return folder
