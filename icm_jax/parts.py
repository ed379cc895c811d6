"""Where auxiliary systems, such as the judge of a run, are kept for all runs of a user."""

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from icm_jax import cache

_PACKAGES = ("jax", "jaxlib", "flax", "optax")


def place_of(name: str, digest: str, data: Any) -> Path | None:
    """Where a finished auxiliary system is kept; None where none is to be.

    The place is that of all which the system depends on, so that what is found there is what
    training would come to: the fields of a config, the data, this package's code, the versions of
    the packages that it computes with, and the devices.

    Args:
      name: of the system.
      digest: of the fields of the config, see `icm_jax.systems.kind.Kind.parts`.
      data: mappings, tuples and lists of arrays, as the system's kind loads them.
    """
    root = cache.parts()
    if root is None:
        return None
    depends = {
        "digest": digest,
        "data": digest_of(data),
        "code": _digest(_add_code),
        "versions": [metadata.version(package) for package in _PACKAGES],
        "devices": [device.device_kind for device in jax.devices()],
    }
    return root / f"{name}-{_digest(lambda add: add(json.dumps(depends).encode()))}"


def digest_of(data: Any) -> str:
    """Sixteen characters that stand for data as `place_of` has them."""
    return _digest(lambda add: _add(data, add))


def _digest(fill: Callable[[Callable[[bytes], None]], None]) -> str:
    """Sixteen characters that stand for the bytes which `fill` adds."""
    made = hashlib.sha256()
    fill(made.update)
    return made.hexdigest()[:16]


def _add(data: Any, add: Callable[[bytes], None]) -> None:
    """Adds all arrays in nested mappings, tuples and lists, with their names and shapes."""
    if isinstance(data, Mapping):
        for name in sorted(data):
            add(f"{name!r}:".encode())
            _add(data[name], add)
    elif isinstance(data, tuple | list):
        add(f"{len(data)} of".encode())
        for item in data:
            _add(item, add)
    else:
        array = np.asarray(data)
        add(f"{array.dtype}{array.shape}".encode())
        add(repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes())


def _add_code(add: Callable[[bytes], None]) -> None:
    """Adds the code of this package."""
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        add(path.relative_to(root).as_posix().encode())
        add(path.read_bytes())
