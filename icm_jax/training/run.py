"""The steps of a run: phase after phase, with logging, evaluations and checkpoints."""

import contextlib
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np

from icm_jax import streams
from icm_jax.streams import SeedStream
from icm_jax.system import Phase, PyTree
from icm_jax.training import stacking, steps
from icm_jax.training.checkpoints import Checkpoints, Leaves, fill, flatten
from icm_jax.training.devices import Devices, is_alone, local
from icm_jax.training.finite import require_metrics, require_state
from icm_jax.training.position import Every, last_phase, to_meta, total
from icm_jax.training.progress import Progress
from icm_jax.training.replica import Replica
from icm_jax.training.signals import Interrupted, StopSignals


class Run:
    """Takes the steps of all replicas at once; its parts belong to who made it.

    The replicas' systems share `init` and `phases`: those of the first are taken.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        *,
        every: Every,
        devices: Devices,
        saved: Checkpoints,
        stop: StopSignals,
    ):
        self._replicas, self._every = replicas, every
        self._devices, self._saved, self._stop = devices, saved, stop
        self._system = replicas[0].run.system
        self._carry: steps.Carry
        self._pending: tuple[int, steps.Interval, jax.Array | None] | None = None
        self._agreed: int | None = None

    def go(self, leaves: Leaves | None) -> list[PyTree]:
        """Takes all steps that are left; returns the final state of each replica.

        Starts from the leaves of the checkpoint that belongs to the positions, or from the
        system's initial state where they are None.

        Raises:
          NotFinite: a metric, or a number of the state, was not finite.
          Interrupted: a signal came, all is saved.
          CheckpointError, WorkdirError: something could not be written.
        """
        with self._stop.at_once():
            state = self._devices.put(self._state(leaves))
            data, self._axes = stacking.stack_data([r.run.system for r in self._replicas])
            self._data = self._devices.put(data)
        for index in self.lead.position.left(self._system):
            if index != self.lead.position.phase:
                self._enter(index)
                leaves = None
            if leaves is None:
                state = self._begin(state)
            state = self._phase(state, leaves)
        if self._saved.latest is None:
            # No phase has a step: there is the initial state alone.
            self._enter(last_phase(self._system))
            self._end(self._replicas)
            meta = to_meta([r.position for r in self._replicas])
            self._saved.save(0, flatten(steps.Start(state)), meta)
        return [self._part(state, index) for index in range(len(self._replicas))]

    def _begin(self, state: PyTree) -> PyTree:
        """The state that the current phase begins with."""
        begin = self.lead.phase.begin
        if begin is None:
            return state

        def of_one(replica, state):
            key = streams.of_beginning(replica.run.seed, replica.position.phase)
            return begin(state, replica.run.system.given, key)

        began = time.monotonic()
        with self._stop.at_once():
            state = self._changed(state, of_one)
        self._add_time("seconds", began)
        return state

    def _changed(self, state: PyTree, change: Callable[[Replica, PyTree], PyTree]) -> PyTree:
        """The state after `change`, here, of those of the replicas that are still in the phase."""
        parts = [
            part if replica.position.ended else change(replica, part)
            for index, replica in enumerate(self._replicas)
            for part in [self._part(state, index)]
        ]
        return self._devices.put(stacking.stack(parts))

    @property
    def lead(self) -> Replica:
        """The replica that has come farthest in the current phase: there the run stands."""
        return max(self._replicas, key=lambda r: (not r.position.ended, r.times["steps"]))

    def _state(self, leaves: Leaves | None) -> PyTree:
        if leaves is not None:
            return steps.saved_state(self._system.init, leaves, len(self._replicas))
        init = self._devices.jit(self._system.init)
        keys = [streams.of_seed(r.run.seed, SeedStream.TRAINING) for r in self._replicas]
        return stacking.stack([init(key) for key in keys])

    def _part(self, state: PyTree, index: int) -> PyTree:
        """The state of one replica, here."""
        return stacking.part(local(state), index, len(self._replicas))

    def _enter(self, index: int) -> None:
        for replica in self._replicas:
            replica.position.enter(index)

    def _end(self, replicas: Sequence[Replica]) -> None:
        """Ends the current phase for some: from now on their carries stay as they are."""
        for replica in replicas:
            replica.position.ended = True
        self._give()

    def _give(self) -> None:
        """Sets what a step is given: the data, and which replicas it is for."""
        active = np.array([not r.position.ended for r in self._replicas])
        self._given = self._data, self._devices.put(active)

    @property
    def _active(self) -> list[Replica]:
        return [r for r in self._replicas if not r.position.ended]

    def _phase(self, state: PyTree, leaves: Leaves | None) -> PyTree:
        """Runs the current phase to its end and returns the state there."""
        phase = self.lead.phase
        with self._stop.at_once():
            self._give()
            step = self._compile(phase, state, leaves)
        progress = Progress(phase.name, self.lead.times["steps"], phase.steps)
        try:
            self._progress, self._began = progress, time.monotonic()
            if self._to_evaluate():
                self._boundary(saves=False)
            while active := self._active:
                most = self._every.left(self.lead.times["steps"], phase.steps)
                self._carry, taken = step(self._carry, self._given, most)
                for replica in active:
                    replica.times["steps"] += taken
                progress.advance(taken)
                self._after_steps(phase)
            progress.ended(self.lead.times["steps"])
        finally:
            progress.close()
        return self._carry.state

    def _compile(self, phase: Phase, state: PyTree, leaves: Leaves | None) -> Callable:
        """Compiles the step of the current phase and sets the carry it begins with."""
        began = time.monotonic()
        count = len(self._replicas)
        keys = [streams.of_phase(r.run.seed, r.position.phase) for r in self._replicas]
        # jit remembers the trace, so that the two looks at the step trace it once.
        step = jax.jit(phase.step)
        one = jax.eval_shape(lambda state: stacking.part(state, 0, count), state)
        metrics = self._devices.shapes(
            lambda *args: step(*args)[1], one, self._system.given, keys[0]
        )
        self._empty = stacking.stack([steps.empty_interval(metrics)] * count)
        first = stacking.stack([np.int32(0)] * count)
        carry = steps.Carry(state, self._empty, stacking.stack(keys), first)
        if leaves is not None:
            carry = fill(carry, leaves)
        # The state is there already; a second copy would stay as long as the phase runs.
        self._carry = steps.Carry(state, *self._devices.put(carry[1:]))
        step = stacking.mapped(steps.accumulating(step), self._axes, count)
        compiled = self._devices.compile(step, self._carry, self._given)
        self._add_time("compile_seconds", began)
        return compiled

    def _add_time(self, name: str, began: float) -> None:
        for replica in self._replicas:
            replica.times[name] += time.monotonic() - began

    def _after_steps(self, phase: Phase) -> None:
        """Does what is due after a call; goes on without waiting for the device where it can."""
        done = self.lead.times["steps"]
        last = done == phase.steps
        if last or done % self._every.log == 0:
            self._hand_out(done)
            if last or phase.stop_below:
                self._record()
        if last or done % self._every.evaluate == 0:
            self._observe(phase)
        if last:
            self._end(self._active)
        saves = not self._active or done % self._every.checkpoint == 0
        if saves or self._to_evaluate() or self._signum is not None:
            self._boundary(saves)

    def _observe(self, phase: Phase) -> None:
        """Lets the phase look at the states of the replicas that are still in it.

        What it finds is saved no earlier than here and with this step, so that a run that goes on
        does not look again.
        """
        if phase.observe is None:
            return
        with self._aside():

            def of_one(replica, state):
                return phase.observe(state, replica.run.system.given)

            state = self._changed(self._carry.state, of_one)
            self._carry = self._carry._replace(state=state)

    @property
    def _signum(self) -> int | None:
        """The signal to stop for; several processes stop for what they agree on."""
        return self._stop.signum if is_alone() else self._agreed

    def _to_evaluate(self) -> list[int]:
        """The replicas whose quick evaluation is due."""
        done = self.lead.times["steps"]
        if self.lead.position.phase != last_phase(self._system) or done % self._every.evaluate:
            return []
        # The end of a run is evaluated completely, by the loop.
        return [
            index
            for index, replica in enumerate(self._replicas)
            if not replica.position.ended and replica.position.evaluated != done
        ]

    def _boundary(self, saves: bool) -> None:
        """Waits for the device, records, evaluates, saves, and leaves if a signal came."""
        with self._aside():
            self._record()
            intervals = steps.of_each(self._carry.interval, len(self._replicas))
            require_metrics(self._replicas, intervals, self._saved)
            # A signal ends the evaluations; they are not lost, the next invocation does them.
            with contextlib.suppress(Interrupted):
                self._evaluate(self._to_evaluate())
            if saves or self._signum is not None:
                self._save()
        if self._signum is not None:
            raise Interrupted(self._signum)

    @contextlib.contextmanager
    def _aside(self):
        """Keeps what happens within it out of the seconds of training."""
        jax.block_until_ready(self._carry.step)
        self._add_time("seconds", self._began)
        with self._progress.paused():
            yield
        self._began = time.monotonic()

    def _hand_out(self, done: int) -> None:
        """Begins a new interval; the finished one is read at the next boundary.

        Reading it here would let the device wait for the host.
        """
        self._record()
        signum = None if is_alone() else self._devices.largest(self._stop.signum or 0)
        self._pending = (done, self._carry.interval, signum)
        self._carry = self._carry._replace(interval=self._devices.put(self._empty))

    def _record(self) -> None:
        """Records the finished interval, if there is one, and ends the phase where it says so."""
        if self._pending is None:
            return
        (done, interval, signum), self._pending = self._pending, None
        if signum is not None:
            self._agreed = self._agreed or int(signum) or None
        intervals = steps.of_each(interval, len(self._replicas))
        require_metrics(self._replicas, intervals, self._saved)
        for replica, interval in zip(self._replicas, intervals, strict=True):
            if not replica.position.ended:
                values = steps.values(interval)
                replica.log(done, values)
                if replica.is_below(values):
                    self._end([replica])

    def _evaluate(self, due: list[int]) -> None:
        for index in due:
            replica = self._replicas[index]
            state = self._part(self._carry.state, index)
            with self._stop.at_once():
                evaluation = replica.evaluate(state, complete=False)
            replica.record(evaluation)

    def _save(self) -> None:
        step = total([r.position for r in self._replicas])
        if step == self._saved.latest:
            return
        leaves = flatten(self._carry)
        require_state(self._replicas, leaves, self.lead.times["steps"], self._saved)
        # First the records, so that no checkpoint knows of one that is not on the disk.
        for replica in self._replicas:
            replica.sync()
        self._saved.save(step, leaves, to_meta([r.position for r in self._replicas]))
