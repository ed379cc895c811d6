"""The folder of a run: one process at a time, one configuration for good, files written whole."""

import contextlib
import errno
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import jax
import numpy as np

from icm_jax import paths
from icm_jax.training import devices

_log = logging.getLogger(__name__)

_GIVEN = "data.json"  # only where something was given
# What file systems without locks (Lustre, NFS, FUSE) answer.
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}


class WorkdirError(RuntimeError):
    """The workdir cannot be used; the message says why and what to do."""


class InUse(WorkdirError):
    """Another process is using the workdir."""


@contextlib.contextmanager
def opened(workdir: str | os.PathLike, config: Mapping, data: str = "") -> Iterator[Path]:
    """Makes the folder or goes on with it, alone; yields its path.

    Args:
      workdir: the folder.
      config: of what is made in it.
      data: a digest of the data that are given in place of those that the config names, and after
        a '+' one of what the run begins with in place of what it would draw.

    Raises:
      ValueError: it is no path on this machine.
      InUse: another process uses it.
      WorkdirError: it cannot be written, or it was made with another configuration (every field
        that differs is named with both values) or with other data.
    """
    folder = paths.local(workdir, "workdir")
    if not devices.is_writer():
        devices.wait_for_all("opened")
        yield folder
        return
    if folder.exists() and not folder.is_dir():
        raise WorkdirError(f"workdir: {folder} is no folder; choose another")
    with reasons(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(folder)
    try:
        _check_config(folder, plain(config), data)
        devices.wait_for_all("opened")
        yield folder
    finally:
        lock.release()


def _locked(folder: Path) -> filelock.BaseFileLock:
    """The lock of a folder, acquired.

    Raises:
      InUse: another process has it.
      OSError: it cannot be made.
    """
    # The kernel lets go of the lock when the process dies, also of SIGKILL.
    lock: filelock.BaseFileLock = filelock.FileLock(folder / ".lock")
    try:
        return _acquired(lock, folder)
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
    lock = filelock.SoftFileLock(folder / ".in_use")
    _log.warning(
        "the file system of %s has no locks: %s stands for one while this run is alive",
        folder,
        lock.lock_file,
    )
    return _acquired(lock, folder)


def _acquired(lock: filelock.BaseFileLock, folder: Path) -> filelock.BaseFileLock:
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InUse(
            f"another process is using {folder}; if none is alive, on any machine, delete "
            f"{lock.lock_file}"
        ) from None
    return lock


def inner(folder: Path, config: Mapping) -> Path:
    """Makes a folder, with its config, within one that is opened; returns its path.

    Raises:
      WorkdirError: it cannot be written.
    """
    if devices.is_writer():
        with reasons(folder):
            folder.mkdir(exist_ok=True)
        write_json(folder / "config.json", config)
    return folder


@contextlib.contextmanager
def reasons(path: Path) -> Iterator[None]:
    """Turns an OSError within it into a WorkdirError with what could not be written, and why."""
    try:
        yield
    except OSError as error:
        # Of a folder the file or folder in it that the error is of.
        named = path if error.filename is None else Path(os.fsdecode(error.filename))
        where = named if named.is_relative_to(path) else path
        raise WorkdirError(f"cannot write {where}: {error.strerror or error}") from error


def output_folder(output: str | os.PathLike) -> Path:
    """The folder that a use of a finished run writes to, made where there is none.

    Raises:
      ValueError: it is a file, or no path on this machine.
      WorkdirError: it cannot be made.
    """
    folder = paths.local(output, "output")
    if folder.is_file():
        raise ValueError(f"output: {str(folder)!r} is a file; choose a folder")
    with reasons(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_json(path: Path, value: Any) -> None:
    """Writes `value` to `path` so that there is always the old file or the whole new one.

    Raises:
      WorkdirError: it cannot be written; the old file stands.
    """
    write_text(path, json.dumps(plain(value), indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes `text` as `write_json` does."""
    if not devices.is_writer():
        return
    with reasons(path), paths.replaced(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`, None where there is no such file.

    Raises:
      WorkdirError: it cannot be read or is no JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WorkdirError(f"cannot read {path}: {error}; restore it or delete it") from error
    if not isinstance(value, dict):
        raise WorkdirError(f"cannot read {path}: it is no JSON object; restore it or delete it")
    return value


def plain(value: Any) -> Any:
    """`value` as JSON has it: arrays as lists, float32 in its shortest form, not finite as null."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _plain_array(np.asarray(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _plain_array(array: np.ndarray) -> Any:
    if array.ndim:
        return [_plain_array(item) for item in array]
    if array.dtype == np.float32:
        # The fewest digits from which the same float32 is read back.
        return plain(float(str(array)))
    return plain(array.item())


def digest_of_given(folder: Path) -> str:
    """The digest of the data that a run was given, '' where they are those of its config."""
    folder = folder if (folder / _GIVEN).exists() else folder.parent  # one of several seeds
    return (read_json(folder / _GIVEN) or {}).get("digest", "").partition("+")[0]


def _check_config(folder: Path, config: Mapping, data: str) -> None:
    there = read_json(folder / "config.json")
    if there is None:
        if (folder / "checkpoints").exists():
            raise WorkdirError(f"{folder} has checkpoints but no config.json to say of what run")
        if data:
            write_json(folder / _GIVEN, {"digest": data})
        write_json(folder / "config.json", config)
        return
    before, now = _fields(there), _fields(config)
    absent = "(absent)"
    differing = [
        f"  {name}: {before.get(name, absent)!r} there, {now.get(name, absent)!r} now"
        for name in sorted(before | now)
        if before.get(name, absent) != now.get(name, absent)
    ]
    if differing:
        lines = "\n".join(differing)
        raise WorkdirError(f"{folder} was made with another configuration:\n{lines}")
    if (read_json(folder / _GIVEN) or {}).get("digest", "") != data:
        raise WorkdirError(
            f"{folder} was made with other data, or began with other experts; call icm_jax.run "
            "with those that it was made with, or choose another workdir"
        )


def _fields(config: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, `{"a": {"b": 1}}` as `{"a.b": 1}`."""
    if not isinstance(config, Mapping) or (prefix and not config):
        return {prefix.rstrip("."): config}
    fields = {}
    for name, value in config.items():
        fields.update(_fields(value, f"{prefix}{name}."))
    return fields
