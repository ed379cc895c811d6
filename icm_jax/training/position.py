"""Where a run stands, and how often it logs, evaluates and saves."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from icm_jax.system import System


class Every(NamedTuple):
    """After how many steps, counted within a phase, something is done."""

    log: int
    evaluate: int
    checkpoint: int

    def left(self, done: int, last: int) -> int:
        """Steps from step `done` of a phase to the next at which something is due, or its last."""
        return min(last, *(done - done % every + every for every in self)) - done


@dataclasses.dataclass
class Position:
    """The place of a run among its phases; JSON values only.

    Attributes:
      phases: name -> {"steps", "seconds", "compile_seconds"}, of all invocations together; the
        seconds are those of all replicas at once.
      phase: index of the current phase.
      ended: whether that phase is over.
      evaluated: the step of it that was evaluated last, -1 for none.
      records: bytes of `metrics.jsonl` written.
    """

    phases: dict[str, dict]
    phase: int = 0
    ended: bool = False
    evaluated: int = -1
    records: int = 0

    @classmethod
    def first(cls, system: System) -> "Position":
        """Before the first step of the first phase."""
        nothing = {"steps": 0, "seconds": 0.0, "compile_seconds": 0.0}
        return cls({phase.name: dict(nothing) for phase in system.phases})

    @property
    def total(self) -> int:
        """Steps done, over all phases."""
        return sum(phase["steps"] for phase in self.phases.values())

    def enter(self, index: int) -> None:
        """Goes to the beginning of another phase."""
        self.phase, self.ended, self.evaluated = index, False, -1

    def left(self, system: System) -> list[int]:
        """The indices of the phases that have steps to take, in order."""
        first = self.phase + self.ended
        return [i for i, phase in enumerate(system.phases) if i >= first and phase.steps > 0]


def total(positions: Sequence[Position]) -> int:
    """Steps done, over all phases, by replicas at these positions together."""
    names = positions[0].phases
    return sum(max(p.phases[name]["steps"] for p in positions) for name in names)


def to_meta(positions: Sequence[Position]) -> dict:
    """The positions of replicas as JSON values; a single one as it is."""
    each = [dataclasses.asdict(position) for position in positions]
    return each[0] if len(each) == 1 else {"replicas": each}


def from_meta(meta: Mapping) -> list[Position]:
    """What `to_meta` was given."""
    return [Position(**each) for each in meta.get("replicas", [meta])]


def last_phase(system: System) -> int:
    """The index of the last phase that has steps, the one evaluated along training."""
    return max((i for i, phase in enumerate(system.phases) if phase.steps > 0), default=0)
