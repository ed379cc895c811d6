"""Finished auxiliary runs that are kept for other runs, such as the classifier that judges them.

A place is a folder that may be deleted at any time and that several processes may share: what is
there is whole, with the digests of its files, and what is damaged is made again. Nothing that goes
wrong here ends a run.
"""

import contextlib
import logging
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from icm_jax.training import devices
from icm_jax.training.checkpoints import FILES, digests_of_files
from icm_jax.training.workdir import WorkdirError, read_json, write_json

# Its time is that of the run that trained it.
TAKEN = "taken.json"

_MOST = 100  # that are kept beside each other; the oldest go
_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.tmp$")  # the end of a folder's name, see `_whole`
_LEFT_OUT = shutil.ignore_patterns(".lock", ".in_use", "tensorboard", TAKEN)

_log = logging.getLogger(__name__)


def take(place: Path, folder: Path, config: Mapping[str, Any]) -> None:
    """Copies the run that is kept at a place to `folder`, as one of a run with this config.

    Does nothing where there is none, or where `folder` is there already.
    """
    if not devices.is_writer() or folder.exists():
        return
    try:
        if not place.is_dir():
            return
        with _whole(folder) as unfinished:
            shutil.copytree(place, unfinished)
            if _is_damaged(unfinished):
                shutil.rmtree(place, ignore_errors=True)
                raise OSError("it is damaged")
            (unfinished / FILES).unlink()
            write_json(unfinished / TAKEN, {"place": str(place)})
            write_json(unfinished / "config.json", config)
            summary = read_json(unfinished / "summary.json") or {}
            write_json(unfinished / "summary.json", summary | {"config": config})
    except (OSError, WorkdirError) as error:
        _log.warning("%s is trained: what %s holds cannot be used: %s", folder.name, place, error)
        return
    _log.info("%s was taken from %s, where an earlier run has left it", folder.name, place)


def keep(folder: Path, place: Path) -> None:
    """Copies a finished run to a place; does nothing where there is one already."""
    if not devices.is_writer() or not (folder / "summary.json").exists():
        return
    try:
        if place.is_dir():
            return
        with _whole(place) as unfinished:
            shutil.copytree(folder, unfinished, ignore=_LEFT_OUT)
            write_json(unfinished / FILES, digests_of_files(unfinished))
        _drop_oldest(place.parent)
    except (OSError, WorkdirError) as error:
        _log.warning("%s is not kept for other runs: %s", folder.name, error)


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Within it a folder is filled beside `folder`, whose place it takes at the end.

    Where anything fails it is deleted. That another process was faster is no error.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield unfinished
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _is_damaged(folder: Path) -> bool:
    """Whether a copy is not what was kept."""
    try:
        return read_json(folder / FILES) != digests_of_files(folder)
    except WorkdirError:
        return True


def _drop_oldest(folder: Path) -> None:
    """Deletes beyond `_MOST` what was kept first, and what processes that died have left.

    Nothing else that lies in the folder, which may be one of the user's.
    """
    kept = []
    for place in folder.iterdir():
        if (place / FILES).is_file() or _UNFINISHED.search(place.name):
            with contextlib.suppress(OSError):  # another process may have moved it meanwhile
                kept.append((place.stat().st_mtime, place))
    for _, place in sorted(kept, reverse=True)[_MOST:]:
        shutil.rmtree(place, ignore_errors=True)
