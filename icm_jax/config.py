"""The configs of all systems: their defaults, and the one place where a config is validated."""

import json
import os
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from icm_jax import icm_config, schema, stable_config
from icm_jax.icm_config import icm
from icm_jax.stable_config import method_and_network, stable_features

__all__ = [
    "SYSTEMS",
    "from_workdir",
    "icm",
    "method_and_network",
    "stable_features",
    "to_dict",
    "validate",
]

_SCHEMAS = {
    "icm": icm_config.SCHEMA,
    "oracle": icm_config.SCHEMA,
    "classification": icm_config.SCHEMA,
    "stable_features": stable_config.SCHEMA,
}
SYSTEMS = tuple(_SCHEMAS)


def validate(config: ConfigDict) -> None:
    """Refuses a config that cannot run, before any work.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    system = config.get("system")
    if system not in SYSTEMS:
        raise ValueError(
            f"system: {system!r} is not allowed; it must be one of {', '.join(SYSTEMS)}"
        )
    schema.validate(config, _SCHEMAS[system])


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


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict | ConfigDict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
