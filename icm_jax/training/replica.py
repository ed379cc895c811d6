"""One seed of a run: what it records, evaluates and leaves behind."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from icm_jax.report import style
from icm_jax.system import Evaluation, Phase, PyTree, System
from icm_jax.training.devices import is_writer
from icm_jax.training.position import Position
from icm_jax.training.records import Records
from icm_jax.training.workdir import plain, reasons, write_json, write_text

WriteReport = Callable[..., None]


class Seeded(NamedTuple):
    """What makes a run of one seed: its system, the seed, and the config of that run alone."""

    system: System
    seed: int
    config: Mapping


@dataclasses.dataclass
class Replica:
    """A seed that is being trained, alone or beside others.

    Attributes:
      run: system, seed and config.
      folder: of its files.
      auxiliary: final states of its auxiliary systems, by name.
      position: where it stands.
      records: open for what is to come.
    """

    run: Seeded
    folder: Path
    auxiliary: Mapping[str, PyTree]
    position: Position
    records: Records

    @property
    def phase(self) -> Phase:
        """The current one."""
        return self.run.system.phases[self.position.phase]

    @property
    def times(self) -> dict:
        """Steps and seconds of the current phase."""
        return self.position.phases[self.phase.name]

    def log(self, done: int, values: Mapping[str, np.ndarray]) -> None:
        """Records the means of an interval that ended after step `done` of the phase."""
        # The interval may lie behind the current step, as TensorBoard should see it.
        total = self.position.total - self.times["steps"] + done
        self.records.append({"phase": self.phase.name, "step": done, **values}, total)

    def is_below(self, values: Mapping[str, np.ndarray]) -> bool:
        """Whether an interval of these means ends the phase early."""
        if self.phase.stop_below is None:
            return False
        name, threshold = self.phase.stop_below
        # NaN stands for an entry that was never counted: not below.
        return bool(np.all(values[name] < threshold))

    def evaluate(self, state: PyTree, complete: bool) -> Evaluation:
        """Evaluates a state; `record` is to follow, where no signal can cut it short."""
        return self.run.system.evaluate(state, self.auxiliary, complete)

    def record(self, evaluation: Evaluation) -> None:
        """Records what was found at the present step."""
        step = self.times["steps"]
        record = {"phase": self.phase.name, "step": step, "evaluation": evaluation.scalars}
        self.records.append(record, self.position.total)
        self.position.evaluated = step

    def sync(self) -> None:
        """Lets the position know of all records, which are on the disk from now on."""
        self.records.sync()
        self.position.records = self.records.size

    def conclude(self, state: PyTree, write_report: WriteReport | None) -> dict:
        """Evaluates completely; writes files, figures, report and, last, the summary it returns."""
        system = self.run.system
        evaluation = self.evaluate(state, complete=True)
        self.record(evaluation)
        self.records.sync()
        summary = plain(
            {
                "system": system.name,
                "config": self.run.config,
                "seed": self.run.seed,
                "phases": self.position.phases,
                **evaluation.summary,
            }
        )
        for name, text in evaluation.files.items():
            write_text(self.folder / name, text)
        if is_writer():
            with style.shipped():
                figures = system.figures(evaluation, self.records.all)
                paths = self.records.figures(figures, self.folder / "figures", self.position.total)
            if write_report is not None:
                path = self.folder / "report.html"
                with reasons(path):
                    write_report(path, summary, paths)
        # Last: a folder with a summary is a finished run.
        write_json(self.folder / "summary.json", summary)
        return summary

    def headline(self, summary: Mapping) -> dict[str, float | bool]:
        """The numbers of its summary by which seeds are compared."""
        steps = {f"{name} steps": times["steps"] for name, times in summary["phases"].items()}
        return {**self.run.system.headline(summary), **steps}
