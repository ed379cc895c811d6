"""Peak memory of one contender, measured in a process of its own.

python -m benchmarks.memory NAME '{"experts": 10}'
"""

import ctypes
import importlib
import json
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks import contenders

_ITERATIONS = 3
_STATUS = Path("/proc/self/status")


def of(name: str, options: contenders.Options) -> dict:
    """Starts the process and returns what `measure` found there.

    Raises:
      RuntimeError: the process failed; the message ends as its output did.
    """
    arguments = [sys.executable, "-m", "benchmarks.memory", name, json.dumps(options._asdict())]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"memory of {name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, options: contenders.Options) -> dict[str, int]:
    """Runs a few iterations here.

    Returns:
      On a CPU `step`, the peak of resident bytes during iterations after the first two, without
      what was there before the model was built (compiling is over then), and `process`, the peak
      from beginning to end, all included. On an accelerator both are the peak of its bytes in use.
    """
    library = "jax" if name in ("jax", "replicas") else "torch"
    importlib.import_module(library)
    before = _resident("VmRSS")
    contender = contenders.make(name, options)
    contender.run(2)
    device = _device_peak(library)
    if device is not None:
        return {"step": device, "process": device}
    whole = _resident("VmHWM")
    _forget_peak()
    contender.run(_ITERATIONS)
    peak = _resident("VmHWM")
    return {"step": peak - before, "process": max(whole, peak)}


def _resident(field: str) -> int:
    """Resident bytes of this process now (VmRSS) or at their peak (VmHWM)."""
    if _STATUS.exists():
        # Not getrusage, whose peak a process inherits from the one that started it.
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines[field].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _forget_peak() -> None:
    """Gives free memory back and lets the peak begin anew, where the system can (Linux)."""
    if _STATUS.exists():
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def _device_peak(library: str) -> int | None:
    if library == "jax":
        import jax

        stats = jax.devices()[0].memory_stats()
        return stats["peak_bytes_in_use"] if stats else None
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], contenders.Options(**json.loads(sys.argv[2])))))
