"""The steps of a run: phase after phase, with logging, evaluations and checkpoints."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping

import jax
import numpy as np

from icm_jax.system import Phase, PyTree, System
from icm_jax.training import steps
from icm_jax.training.checkpoints import Checkpoints, Leaves, fill, flatten
from icm_jax.training.devices import Devices, local
from icm_jax.training.position import Every, Position, last_phase
from icm_jax.training.progress import Progress
from icm_jax.training.records import Records
from icm_jax.training.signals import Interrupted, StopSignals


class NotFinite(RuntimeError):
    """A metric or the state is not finite; the message names what, phase, step, what is saved."""


class Run:
    """Takes the steps of a run and keeps its position; its parts belong to who made it."""

    def __init__(
        self,
        system: System,
        *,
        auxiliary: Mapping[str, PyTree],
        seed: int,
        every: Every,
        devices: Devices,
        saved: Checkpoints,
        records: Records,
        stop: StopSignals,
        position: Position,
    ):
        self.position = position
        self._system, self._auxiliary, self._seed, self._every = system, auxiliary, seed, every
        self._devices, self._saved, self._records, self._stop = devices, saved, records, stop
        self._carry: steps.Carry
        self._pending: tuple[int, steps.Interval] | None = None

    def go(self, leaves: Leaves | None) -> PyTree:
        """Takes all steps that are left; returns the final state.

        Starts from the leaves of the checkpoint that belongs to the position, or from the
        system's initial state where they are None.

        Raises:
          NotFinite: a metric, or a number of the state, was not finite.
          Interrupted: a signal came, all is saved.
          CheckpointError, WorkdirError: something could not be written.
        """
        position = self.position
        with self._stop.at_once():
            state = self._state(leaves)
            data = self._devices.put(self._system.data)
        for index in position.left(self._system):
            if index != position.phase:
                position.enter(index)
                leaves = None
            state = self._phase(state, data, leaves)
        if self._saved.latest is None:
            # No phase has a step: there is the initial state alone.
            position.enter(last_phase(self._system))
            position.ended = True
            self._saved.save(0, flatten(steps.Start(state)), dataclasses.asdict(position))
        return local(state)

    def _state(self, leaves: Leaves | None) -> PyTree:
        if leaves is None:
            return self._devices.put(jax.jit(self._system.init)(steps.stream(self._seed, 0)))
        return self._devices.put(steps.saved_state(self._system, leaves))

    @property
    def _current(self) -> Phase:
        return self._system.phases[self.position.phase]

    @property
    def _times(self) -> dict:
        return self.position.phases[self._current.name]

    def _phase(self, state: PyTree, data: PyTree, leaves: Leaves | None) -> PyTree:
        """Runs the current phase to its end and returns the state there."""
        with self._stop.at_once():
            step = self._compile(state, data, leaves)
        progress = Progress(self._current.name, self._times["steps"], self._current.steps)
        try:
            self._progress, self._began = progress, time.monotonic()
            if self._evaluation_due():
                self._boundary(evaluates=True, saves=False)
            while not self.position.ended:
                self._carry = step(self._carry, data)
                self._times["steps"] += 1
                progress.advance()
                self._after_step()
            progress.ended(self._times["steps"])
        finally:
            progress.close()
        return self._carry.state

    def _compile(self, state: PyTree, data: PyTree, leaves: Leaves | None) -> Callable:
        """Compiles the step of the current phase and sets the carry it begins with."""
        began = time.monotonic()
        key = steps.stream(self._seed, 1 + self.position.phase)
        # jit remembers the trace, so that the two looks at the step trace it once.
        step = jax.jit(self._current.step)
        metrics = self._devices.shapes(lambda *args: step(*args)[1], state, data, key)
        self._empty = steps.empty_interval(metrics)
        carry = steps.Carry(state, self._empty, key, np.int32(0))
        if leaves is not None:
            carry = fill(carry, leaves)
        # The state is there already; a second copy would stay as long as the phase runs.
        self._carry = steps.Carry(state, *self._devices.put(carry[1:]))
        compiled = self._devices.compile(steps.accumulating(step), self._carry, data)
        self._times["compile_seconds"] += time.monotonic() - began
        return compiled

    def _after_step(self) -> None:
        """Does what is due after a step; goes on without waiting for the device where it can."""
        phase, done = self._current, self._times["steps"]
        last = done == phase.steps
        logs = last or done % self._every.log == 0
        if logs:
            self._hand_out(done)
        values = self._record() if logs and (last or phase.stop_below) else None
        self.position.ended = last or (values is not None and _below(values, phase.stop_below))
        evaluates = self._evaluation_due()
        saves = self.position.ended or done % self._every.checkpoint == 0
        if evaluates or saves or self._stop.signum is not None:
            self._boundary(evaluates, saves)

    def _evaluation_due(self) -> bool:
        position, done = self.position, self._times["steps"]
        # The end of the run is evaluated completely, by the loop.
        training = position.phase == last_phase(self._system) and not position.ended
        return training and done % self._every.evaluate == 0 and position.evaluated != done

    def _boundary(self, evaluates: bool, saves: bool) -> None:
        """Waits for the device, records, evaluates, saves, and leaves if a signal came."""
        with self._aside():
            self._record()
            self._require_finite(self._carry.interval)
            if evaluates:
                # A signal ends the evaluation; it is not lost, the next invocation does it.
                with contextlib.suppress(Interrupted):
                    self._evaluate()
            if saves or self._stop.signum is not None:
                self._save()
        if self._stop.signum is not None:
            raise Interrupted(self._stop.signum)

    @contextlib.contextmanager
    def _aside(self):
        """Keeps what happens within it out of the seconds of training."""
        jax.block_until_ready(self._carry.step)
        self._times["seconds"] += time.monotonic() - self._began
        with self._progress.paused():
            yield
        self._began = time.monotonic()

    def _hand_out(self, done: int) -> None:
        """Begins a new interval; the finished one is read at the next boundary.

        Reading it here would let the device wait for the host.
        """
        self._record()
        self._pending = (done, self._carry.interval)
        self._carry = self._carry._replace(interval=self._devices.put(self._empty))

    def _record(self) -> dict[str, np.ndarray] | None:
        """Records the finished interval, if there is one, and returns its values."""
        if self._pending is None:
            return None
        (done, interval), self._pending = self._pending, None
        self._require_finite(interval)
        values = steps.values(interval)
        # The interval may lie behind the current step, as TensorBoard should see it.
        total = self.position.total - self._times["steps"] + done
        self._records.append({"phase": self._current.name, "step": done, **values}, total)
        return values

    def _evaluate(self) -> None:
        with self._stop.at_once():
            evaluation = self._system.evaluate(local(self._carry.state), self._auxiliary, False)
        record_evaluation(self._records, self._system, self.position, evaluation.scalars)
        self.position.evaluated = self._times["steps"]

    def _save(self) -> None:
        total = self.position.total
        if total == self._saved.latest:
            return
        leaves = flatten(self._carry)
        for path, leaf in leaves.items():
            # A gradient may be NaN where the loss still is a number: saved, it would end every
            # later invocation. (Infinity may be meant, as in "the best so far".)
            if jax.numpy.issubdtype(leaf.dtype, np.inexact) and np.isnan(leaf).any():
                raise self._not_finite(path, self._times["steps"])
        # First the records, so that no checkpoint knows of one that is not on the disk.
        self._records.sync()
        self.position.records = self._records.size
        self._saved.save(total, leaves, dataclasses.asdict(self.position))

    def _require_finite(self, interval: steps.Interval) -> None:
        found = steps.first_nonfinite(interval)
        if found is not None:
            raise self._not_finite(*found)

    def _not_finite(self, name: str, step: int) -> NotFinite:
        latest = self._saved.latest
        kept = "no checkpoint yet"
        if latest is not None:
            kept = f"last good checkpoint {self._saved.path(latest)}"
        return NotFinite(f"{name} is not finite in phase {self._current.name}, step {step}; {kept}")


def record_evaluation(
    records: Records, system: System, position: Position, scalars: Mapping[str, float]
) -> None:
    """Records what an evaluation found at a position."""
    name = system.phases[position.phase].name
    record = {"phase": name, "step": position.phases[name]["steps"], "evaluation": scalars}
    records.append(record, position.total)


def _below(values: Mapping[str, np.ndarray], stop_below: tuple[str, float] | None) -> bool:
    if stop_below is None:
        return False
    name, threshold = stop_below
    # NaN stands for an entry that was never counted: not below.
    return bool(np.all(values[name] < threshold))
