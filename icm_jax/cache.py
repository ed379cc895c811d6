"""Where things are kept that can be made again, of all runs of a user."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from icm_jax import paths

_log = logging.getLogger(__name__)


def folder(name: str) -> Path:
    """`~/.cache/icm_jax/<name>`; it may be deleted at any time, and is not made here.

    Without a home folder, a path at which there is nothing and nothing can be written.
    """
    root = _home()
    return (root / ".cache" if root else Path(os.devnull)) / "icm_jax" / name


def write_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an `.npz` whole or not at all, whoever else writes it; makes its folder.

    Raises:
      OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with paths.replaced(file) as unfinished, unfinished.open("wb") as output:
        np.savez(output, **arrays)


def compiled() -> str | None:
    """Where compiled programs are kept, as `JAX_COMPILATION_CACHE_DIR` says or in the cache.

    None, which is logged, where that is not possible.
    """
    chosen = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if chosen and paths.has_scheme(chosen):
        return chosen  # JAX opens it, where the packages for that are there
    if not chosen and _home() is None:
        _log.warning(
            "there is no home folder: nothing that is compiled is kept for the next run; set HOME "
            "or JAX_COMPILATION_CACHE_DIR to change that"
        )
        return None
    try:
        place = paths.local(chosen, "JAX_COMPILATION_CACHE_DIR") if chosen else folder("compiled")
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        _log.warning("nothing that is compiled is kept for the next run: %s", error)
        return None
    return str(place)


def parts() -> Path | None:
    """Where auxiliary runs are kept for other runs, as `ICM_JAX_PARTS` says or in the cache.

    None where that is empty. There need not be such a folder.
    """
    chosen = os.environ.get("ICM_JAX_PARTS")
    if chosen is None:
        return folder("parts")
    try:
        return paths.local(chosen, "ICM_JAX_PARTS") if chosen else None
    except ValueError as error:
        _log.warning("no auxiliary run is kept for other runs: %s", error)
        return None


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
