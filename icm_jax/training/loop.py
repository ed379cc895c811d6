"""The one training loop: runs any system in a folder, to its end or until it is stopped."""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from icm_jax.system import PyTree, System
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.devices import Devices, is_writer
from icm_jax.training.position import Every, Position
from icm_jax.training.records import Records
from icm_jax.training.run import Run, record_evaluation
from icm_jax.training.signals import Interrupted, StopSignals
from icm_jax.training.steps import saved_state
from icm_jax.training.workdir import WorkdirError, opened, plain, read_json, write_json

_log = logging.getLogger(__name__)

WriteReport = Callable[..., None]


class Result(NamedTuple):
    """What a run came to.

    Attributes:
      summary: as in `summary.json`.
      state: the final state on the first device; None where the run was finished before.
      finished_before: whether there was nothing left to do.
    """

    summary: dict[str, Any]
    state: PyTree
    finished_before: bool


class _Settings(NamedTuple):
    """What a system and those it is judged by are trained and evaluated with."""

    seed: int
    config: Mapping
    every: Every | None
    keep: int
    devices: Sequence[jax.Device] | None


def train(
    system: System,
    workdir: str | os.PathLike,
    *,
    seed: int,
    config: Mapping,
    log_every: int,
    evaluate_every: int,
    checkpoint_every: int,
    keep: int,
    devices: Sequence[jax.Device] | None = None,
    write_report: WriteReport | None = None,
) -> Result:
    """Trains a system in a folder, going on where an earlier invocation stopped.

    Args:
      system: what to train. The systems it is judged by are trained first.
      workdir: the run's folder, made where there is none.
      seed: of all randomness; the same seed gives the same numbers.
      config: JSON values, validated; `workdir` belongs to it for good.
      log_every: steps of a phase between two records.
      evaluate_every: steps of the last phase between two evaluations.
      checkpoint_every: steps of a phase between two checkpoints.
      keep: checkpoints kept, the newest.
      devices: to train on; all where it is None.
      write_report: `(path, title, summary, figures, records)`, called at the end with the paths
        of the figures by name and the list of all records.

    Raises:
      WorkdirError: `workdir` is in use, of another configuration, or cannot be written.
      CheckpointError: a checkpoint cannot be saved, or all there are are damaged.
      NotFinite: a metric was not finite.
      Interrupted: SIGTERM or SIGINT; all is saved and the same call goes on.
    """
    every = Every(log_every, evaluate_every, checkpoint_every)
    settings = _Settings(seed, config, every, keep, devices)
    return _train(system, Path(workdir), settings, write_report)


def evaluate(
    system: System,
    workdir: str | os.PathLike,
    *,
    seed: int,
    config: Mapping,
    keep: int,
    write_report: WriteReport | None = None,
) -> Result:
    """Evaluates a finished run once more; rewrites its figures, report and summary.

    Takes the arguments that `train` was given.

    Raises:
      WorkdirError: the run is not finished, in use or of another configuration.
      CheckpointError: there is no undamaged checkpoint.
    """
    settings = _Settings(seed, config, None, keep, None)
    with opened(workdir, config) as folder:
        position, state = _finished(system, folder, keep)
        auxiliary = {
            name: _finished(judge, folder / name, keep)[1]
            for name, judge in system.auxiliary.items()
        }
        with contextlib.closing(Records(folder, position.records, position.total)) as records:
            summary = _conclude(
                system, folder, settings, write_report, state, auxiliary, position, records
            )
    return Result(summary, state, True)


def _train(
    system: System, workdir: Path, settings: _Settings, write_report: WriteReport | None
) -> Result:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(opened(workdir, settings.config))
        summary = read_json(folder / "summary.json")
        if summary is not None:
            _log.info("%s is finished, there is nothing to do", folder)
            return Result(summary, None, True)
        auxiliary = {
            name: _judge(judge, folder / name, settings) for name, judge in system.auxiliary.items()
        }
        saved = stack.enter_context(contextlib.closing(Checkpoints(folder, settings.keep)))
        restored = saved.restore()
        position = Position(**restored.meta) if restored else Position.first(system)
        records = Records(folder, position.records, position.total)
        stack.enter_context(contextlib.closing(records))
        stop = stack.enter_context(StopSignals())
        run = Run(
            system,
            auxiliary=auxiliary,
            seed=settings.seed,
            every=settings.every,
            devices=Devices(settings.devices),
            saved=saved,
            records=records,
            stop=stop,
            position=position,
        )
        try:
            state = run.go(restored and restored.leaves)
            with stop.at_once():
                summary = _conclude(
                    system, folder, settings, write_report, state, auxiliary, position, records
                )
        except Interrupted:
            name = system.phases[position.phase].name
            steps = position.phases[name]["steps"]
            _log.warning("stopped in phase %s after step %d; the same call goes on", name, steps)
            raise
        return Result(summary, state, False)


def _judge(system: System, folder: Path, settings: _Settings) -> PyTree:
    """The final state of an auxiliary system, trained where it is not yet."""
    result = _train(system, folder, settings, None)
    return _finished(system, folder, settings.keep)[1] if result.finished_before else result.state


def _finished(system: System, folder: Path, keep: int) -> tuple[Position, PyTree]:
    """Where a finished run ended, and its final state."""
    with contextlib.closing(Checkpoints(folder, keep)) as saved:
        restored = saved.restore()
    position = Position(**restored.meta) if restored else Position.first(system)
    if restored is None or position.left(system):
        raise WorkdirError(f"the run in {folder} is not finished; train it first")
    return position, jax.device_put(saved_state(system, restored.leaves))


def _conclude(
    system: System,
    folder: Path,
    settings: _Settings,
    write_report: WriteReport | None,
    state: PyTree,
    auxiliary: Mapping[str, PyTree],
    position: Position,
    records: Records,
) -> dict:
    """Evaluates completely and writes figures, report and, last, the summary."""
    evaluation = system.evaluate(state, auxiliary, True)
    record_evaluation(records, system, position, evaluation.scalars)
    records.sync()
    summary = plain(
        {
            "system": system.name,
            "config": settings.config,
            "seed": settings.seed,
            "phases": position.phases,
            **evaluation.summary,
        }
    )
    figures = system.figures(evaluation, records.all)
    paths = records.figures(figures, folder / "figures", position.total)
    if write_report is not None and is_writer():
        write_report(folder / "report.html", system.name, summary, paths, records.all)
    # Last: a folder with a summary is a finished run.
    write_json(folder / "summary.json", summary)
    return summary
