"""The one file that knows about devices: everything else sees one state and one step.

State and data are replicated over all devices; a step runs on each of them with the same arguments
under the axis `AXIS`, takes its own share of the batch and returns the same state everywhere.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "devices"

# The costlier passes of LLVM take a third of compilation and gain nothing: convolutions and
# products are calls of libraries. What is none, such as ELU, takes half of the time with vectors of
# 512 bits, where there are any, in place of LLVM's choice of 256.
_CPU_OPTIONS = {"xla_backend_optimization_level": 1, "xla_cpu_prefer_vector_width": 512}

PyTree = Any


def connect(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None
) -> None:
    """Joins the processes of a run that is spread over several, before any other use of JAX.

    Args:
      coordinator: `host:port` of process 0; all three are found out by themselves under Slurm,
        Open MPI, Kubernetes and on TPUs, where all are None.
      processes: how many there are.
      process: which this is, from 0.

    Raises:
      ValueError: some are None and some are not, they do not fit, or nothing was found or reached.
    """
    given = {"coordinator": coordinator, "processes": processes, "process": process}
    absent = [name for name, value in given.items() if value is None]
    if 0 < len(absent) < 3:
        raise ValueError(f"{', '.join(absent)}: missing; give {', '.join(given)}, or none of them")
    if not absent and not 0 <= process < processes:
        raise ValueError(f"process: {process} is not allowed; it must be from 0 to {processes - 1}")
    # Only CPUs use it; they can do no collective over processes without.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"distributed: no other process was found or reached: {error}") from error


class Devices:
    """The devices that a run uses: places arrays on them and compiles steps for them."""

    def __init__(self, devices: Sequence[jax.Device] | None = None, loops: bool | None = None):
        """Uses `devices`, or all of every process where it is None.

        `loops` says whether many steps are one call. By default they are on accelerators, which
        would wait for the host between two; on a CPU, convolutions are slow within a loop.
        """
        self._devices = tuple(jax.devices() if devices is None else devices)
        on_cpu = self._devices[0].platform == "cpu"
        self._loops = not on_cpu if loops is None else loops
        wanted = on_cpu and not jax.config.read("jax_disable_most_optimizations")
        self._options = _CPU_OPTIONS if wanted else None
        here = [d for d in self._devices if d.process_index == jax.process_index()]
        self._everywhere, self._here = _replicated(self._devices), _replicated(here)
        # pmap refuses to run when no argument is mapped; the steps themselves need none.
        self._indices = self._split(np.arange(len(self._devices), dtype=np.int32))
        self._max = jax.jit(jnp.max, out_shardings=self._everywhere)

    def put(self, tree: PyTree) -> PyTree:
        """Copies the arrays of `tree` (host or device, any dtype, uint8 stays uint8) everywhere."""
        # Never an alias: what is put here may be donated, also when one array stands in it twice.
        return jax.tree.map(self._joined, jax.device_put(tree, self._here, may_alias=False))

    def shapes(self, step: Callable, *arguments: PyTree) -> PyTree:
        """The shapes and dtypes `step(*arguments)` returns; traces `step`, runs nothing."""
        # Here pmap wants the part of this process, and compiled functions the whole array.
        here = np.zeros(len(self._here.mesh.devices), np.int32)
        return jax.eval_shape(self._mapped(step, len(arguments)), *arguments, here)

    def compile(self, step: Callable, carry: PyTree, data: PyTree) -> Callable:
        """Compiles `step(carry, data) -> carry` ahead of time, donating `carry`.

        Arrays in `carry` and `data` must come from `put`; they have no leading device axis.

        Returns:
          `(carry, data, most) -> (carry, taken)`, which takes `most` steps in one call, or only
          one where it does not loop, and says how many. It wants arguments of these shapes and
          dtypes and never compiles again, whatever `most` is.
        """

        def take(carry, data, count):
            if not self._loops:
                return step(carry, data)
            return jax.lax.fori_loop(0, count, lambda _, carry: step(carry, data), carry)

        counts = functools.cache(lambda count: self.put(np.int32(count)))
        mapped = self._mapped(take, 3, donate_argnums=(0,))
        lowered = mapped.lower(carry, data, counts(1), self._indices)
        compiled = lowered.compile(compiler_options=self._options)

        def call(carry, data, most):
            taken = most if self._loops else 1
            return compiled(carry, data, counts(taken), self._indices), taken

        return call

    def jit(self, function: Callable, **others: Any) -> Callable:
        """`jax.jit` of what runs on the default device alone, such as a state's first values."""
        return jax.jit(function, compiler_options=self._options, **others)

    def largest(self, value: int) -> jax.Array:
        """The largest of the values that the processes give, int32 `[]`; does not wait for it."""
        return self._max(self._split(np.full(len(self._devices), value, np.int32)))

    def _split(self, array: np.ndarray) -> jax.Array:
        """Each entry on its device; of `array` here those count whose devices are here."""
        split = NamedSharding(self._everywhere.mesh, PartitionSpec(AXIS))
        return jax.make_array_from_callback(array.shape, split, array.__getitem__)

    def _joined(self, array: jax.Array) -> jax.Array:
        """One array of what every process put on its own devices."""
        parts = [shard.data for shard in array.addressable_shards]
        everywhere = self._everywhere
        return jax.make_array_from_single_device_arrays(array.shape, everywhere, parts)

    def _mapped(self, step: Callable, arguments: int, **options) -> Callable:
        return jax.pmap(
            lambda *args: step(*args[:-1]),
            axis_name=AXIS,
            in_axes=(None,) * arguments + (0,),
            out_axes=None,
            devices=self._devices,
            **options,
        )


def _replicated(devices: Sequence[jax.Device]) -> NamedSharding:
    return NamedSharding(Mesh(np.array(devices), (AXIS,)), PartitionSpec())


def local(tree: PyTree) -> PyTree:
    """The replicated arrays of `tree` as they lie on this process's first device, not copied."""
    return jax.tree.map(lambda x: x.addressable_data(0), tree)


def is_writer() -> bool:
    """Whether this process is the one that writes records, figures and summaries."""
    return jax.process_index() == 0


def is_alone() -> bool:
    """Whether there is one process only."""
    return jax.process_count() == 1


def wait_for_all(where: str) -> None:
    """Returns when all processes have come to `where`; at once where there is only one."""
    multihost_utils.sync_global_devices(where)
