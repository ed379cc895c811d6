"""The one loop that trains any system: its steps, checkpoints, records and devices."""

from icm_jax.training.checkpoints import CheckpointError
from icm_jax.training.devices import AXIS, connect, is_writer
from icm_jax.training.finite import NotFinite
from icm_jax.training.host_memory import keep_host_memory
from icm_jax.training.loop import Result, evaluate, train
from icm_jax.training.memory import OutOfMemory, telling_memory
from icm_jax.training.replica import Seeded
from icm_jax.training.signals import Interrupted
from icm_jax.training.workdir import InUse, WorkdirError, output_folder, reasons

__all__ = [
    "AXIS",
    "CheckpointError",
    "InUse",
    "Interrupted",
    "NotFinite",
    "OutOfMemory",
    "Result",
    "Seeded",
    "WorkdirError",
    "connect",
    "evaluate",
    "keep_host_memory",
    "is_writer",
    "output_folder",
    "reasons",
    "telling_memory",
    "train",
]
