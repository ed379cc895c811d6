"""Configs of any system: as plain values, from the folder of a run, and as a digest."""

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from icm_jax import paths


def check_file(path: str | os.PathLike) -> None:
    """Refuses what is no config file, before anything in it is run.

    Raises:
      ValueError: there is no such file, it is no Python, or it does not define `get_config`.
    """
    try:
        tree = ast.parse(Path(path).read_bytes(), str(path))
    except OSError as error:
        raise ValueError(f"--config: {str(path)!r} cannot be read: {error.strerror}") from error
    except SyntaxError as error:
        raise ValueError(f"--config: {path}, line {error.lineno}: {error.msg}") from error
    except ValueError as error:  # null bytes
        raise ValueError(f"--config: {path} is no Python: {error}") from error
    if "get_config" not in set(_defined(tree)):
        raise ValueError(f"--config: {path} has no function get_config; see configs/mnist.py")


def _defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines or imports, at its top."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def to_dict(config: ConfigDict) -> dict[str, Any]:
    """The config as plain JSON values, tuples as lists."""
    return _plain(config.to_dict())


def from_workdir(workdir: str | os.PathLike) -> ConfigDict:
    """The config of the run in a folder.

    Raises:
      ValueError: if there is none.
    """
    path = paths.local(workdir, "workdir") / "config.json"
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ValueError(f"workdir: no config can be read from {path}: {error.strerror}") from error
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"workdir: {path} is no config: {error}; restore it") from error
    if not isinstance(value, dict):
        raise ValueError(f"workdir: {path} is no config: it is no JSON object; restore it")
    return ConfigDict(_tuples(value))


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
