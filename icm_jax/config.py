"""Configs of any system: as plain values, from the folder of a run, and as a digest."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict


def to_dict(config: ConfigDict) -> dict[str, Any]:
    """The config as plain JSON values, tuples as lists."""
    return _plain(config.to_dict())


def from_workdir(workdir: str | os.PathLike) -> ConfigDict:
    """The config of the run in a folder.

    Raises:
      ValueError: if there is none.
    """
    path = Path(workdir) / "config.json"
    try:
        return ConfigDict(_tuples(json.loads(path.read_text())))
    except (OSError, ValueError) as error:
        raise ValueError(f"workdir: no config can be read from {path}: {error}") from error


def digest(config: ConfigDict) -> str:
    """Eight characters that differ where a field of the config differs."""
    text = json.dumps(to_dict(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict | ConfigDict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
