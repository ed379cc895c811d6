"""How a run was made: by which command, on what machine, with which versions, when."""

import os
import platform
import shlex
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

_PACKAGES = ("jax", "jaxlib", "flax", "optax")


def collect(command: Sequence[str] | None, seeds: Sequence[int]) -> dict[str, Any]:
    """Describes the present process, as JSON values; of its machine neither name nor paths.

    `command` is a list of words as a shell takes them, or None.

    Args:
      command: the arguments of Python as typed, the script first; None where there was no command.
      seeds: that are trained at once.
    """
    return {
        "command": command and ["python", *map(_quoted, command)],
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seeds": list(seeds),
        "processor": name_processor(),
        "cores": count_cores(),
        "devices": [device.device_kind for device in jax.devices()],
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in _PACKAGES},
    }


def _quoted(argument: str) -> str:
    """An argument as a shell takes it; the value of a flag in double quotes, easier to read."""
    name, equals, value = argument.partition("=")
    plain = shlex.quote(argument)
    if plain == argument or not equals or shlex.quote(name) != name or set(value) & set('"$`\\!'):
        return plain
    return f'{name}="{value}"'


def name_processor() -> str:
    """The model of the processor where the system tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def count_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
