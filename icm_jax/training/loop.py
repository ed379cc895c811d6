"""The one training loop: runs any system in a folder, to its end or until it is stopped."""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from icm_jax import environment, paths
from icm_jax.system import PyTree
from icm_jax.training import finished, shared, stacking, table
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.devices import Devices, is_alone, is_writer
from icm_jax.training.position import Every, Position, from_meta
from icm_jax.training.records import Records
from icm_jax.training.replica import Replica, Seeded, WriteReport
from icm_jax.training.run import Run
from icm_jax.training.signals import Interrupted, StopSignals
from icm_jax.training.steps import saved_state
from icm_jax.training.workdir import WorkdirError, inner, opened, read_json, write_json, write_text

_log = logging.getLogger(__name__)


class Result(NamedTuple):
    """What a run came to.

    Attributes:
      summary: as in `summary.json`.
      state: the final state on the first device, or a list of one a seed where there are several;
        None where the run was finished before.
      finished_before: whether there was nothing left to do.
    """

    summary: dict[str, Any]
    state: PyTree
    finished_before: bool


# The name of an auxiliary system -> where its finished run is kept for other runs, or None
FindPlace = Callable[[str], Path | None]


class _Settings(NamedTuple):
    """What systems and their auxiliary ones are trained and evaluated with."""

    config: Mapping
    keep: int
    every: Every | None = None
    devices: Devices | None = None
    stop: StopSignals | None = None
    find_place: FindPlace = lambda name: None
    data: str = ""


def train(
    runs: Sequence[Seeded],
    workdir: str | os.PathLike,
    *,
    config: Mapping,
    log_every: int,
    evaluate_every: int,
    checkpoint_every: int,
    keep: int,
    devices: Devices | None = None,
    write_report: WriteReport | None = None,
    find_place: FindPlace = lambda name: None,
    data: str = "",
) -> Result:
    """Trains a system in a folder, going on where an earlier invocation stopped.

    Several seeds of a system are trained at once, as replicas under one `jax.vmap`: each comes
    to what it comes to alone. Then every seed has its files in `seed_<seed>/`, and beside these
    lie the checkpoints of all and a table that compares them.

    Args:
      runs: what to train: one, or several whose systems share all functions but `evaluate`. Their
        auxiliary systems are trained first.
      workdir: the run's folder, made where there is none.
      config: JSON values, validated; `workdir` belongs to it for good.
      log_every: steps of a phase between two records.
      evaluate_every: steps of the last phase between two evaluations.
      checkpoint_every: steps of a phase between two checkpoints.
      keep: checkpoints kept, the newest.
      devices: to train on; all there are where it is None.
      write_report: `(path, summary, figures)`, called at the end of each seed with the paths of
        its figures by name, then for several seeds with the summary of all and no figures; of
        auxiliary systems likewise.
      find_place: says where auxiliary runs are kept for other runs, see
        `icm_jax.training.shared`; called only for those that are not there yet.
      data: a digest of the data that were given, '' of those that `config` names; `workdir`
        belongs to it for good.

    Raises:
      ValueError: `workdir` is no path on this machine, or JAX has a setting that will not do.
      WorkdirError: `workdir` is in use, of another configuration, or cannot be written.
      CheckpointError: a checkpoint cannot be saved, or all there are are damaged.
      NotFinite: a metric was not finite.
      Interrupted: SIGTERM or SIGINT; all is saved and the same call goes on.
    """
    environment.require_jax()
    every = Every(log_every, evaluate_every, checkpoint_every)
    with StopSignals(is_alone()) as stop:
        settings = _Settings(config, keep, every, devices or Devices(), stop, find_place, data)
        summary, states = _train(runs, workdir, settings, write_report)
    return Result(summary, _one_or_all(states), states is None)


def evaluate(
    runs: Sequence[Seeded],
    workdir: str | os.PathLike,
    *,
    config: Mapping,
    keep: int,
    write_report: WriteReport | None = None,
    data: str = "",
) -> Result:
    """Evaluates a finished run once more; rewrites its figures, report and summary.

    Takes the arguments that `train` was given.

    Raises:
      ValueError: as `train` does.
      WorkdirError: the run is not finished, in use or of another configuration.
      CheckpointError: there is no undamaged checkpoint.
    """
    environment.require_jax()
    finished.require(paths.local(workdir, "workdir"))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(opened(workdir, config, data))
        positions, states = _finished(runs, folder, keep)
        auxiliary = _auxiliary(runs, lambda name, runs: _finished(runs, folder / name, keep)[1])
        replicas = _replicas(runs, folder, auxiliary, positions, stack)
        summary = _conclude(replicas, states, folder, config, write_report)
    return Result(summary, _one_or_all(states), True)


def _train(
    runs: Sequence[Seeded],
    workdir: str | os.PathLike,
    settings: _Settings,
    write_report: WriteReport | None,
) -> tuple[dict, list[PyTree] | None]:
    """The summary and the final states, None where the run was finished before."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(opened(workdir, settings.config, settings.data))
        summary = read_json(folder / "summary.json")
        if summary is not None:
            if "system" not in summary:
                raise WorkdirError(
                    f"cannot read {folder / 'summary.json'}: it says no system; restore it or "
                    "delete it"
                )
            _log.info("%s is finished, there is nothing to do", folder)
            return summary, None
        auxiliary = _auxiliary(
            runs, lambda name, runs: _first_trained(runs, folder / name, settings, write_report)
        )
        runs = [
            run._replace(system=run.system.taught(known))
            for run, known in zip(runs, auxiliary, strict=True)
        ]
        saved = stack.enter_context(contextlib.closing(Checkpoints(folder, settings.keep)))
        restored = saved.restore(set_aside=True)
        positions = from_meta(restored.meta) if restored else _first(runs)
        replicas = _replicas(runs, folder, auxiliary, positions, stack)
        run = Run(
            replicas,
            every=settings.every,
            devices=settings.devices,
            saved=saved,
            stop=settings.stop,
        )
        try:
            states = run.go(restored and restored.leaves)
            with settings.stop.at_once():
                summary = _conclude(replicas, states, folder, settings.config, write_report)
        except Interrupted:
            phase, done = run.lead.phase.name, run.lead.times["steps"]
            _log.warning("stopped in phase %s after step %d; the same call goes on", phase, done)
            raise
        return summary, states


def _auxiliary(
    runs: Sequence[Seeded], states_of: Callable[[str, list[Seeded]], list[PyTree]]
) -> list[dict[str, PyTree]]:
    """Of each run the final states of its auxiliary systems by name.

    `states_of` is given the name of one and the runs of it, one for each of `runs`.
    """
    found = {
        name: states_of(name, [_auxiliary_run(run, name) for run in runs])
        for name in runs[0].system.auxiliary
    }
    return [{name: states[i] for name, states in found.items()} for i in range(len(runs))]


def _auxiliary_run(run: Seeded, name: str) -> Seeded:
    """A run's own run of an auxiliary system."""
    system = run.system.auxiliary[name]
    own = system.config
    config = run.config if own is None else {**own, "seed": run.seed, "replicas": 1}
    return run._replace(system=system, config=config)


def _first_trained(
    runs: Sequence[Seeded], folder: Path, settings: _Settings, write_report: WriteReport | None
) -> list[PyTree]:
    """The final states of auxiliary systems, trained where they are not yet."""
    # What is kept is found by the data, whether they were given or not.
    settings = settings._replace(config=runs[0].system.config or settings.config, data="")
    is_finished = (folder / "summary.json").exists()
    place = None if is_finished else settings.find_place(folder.name)
    if place is not None:
        shared.take(place, folder, settings.config)
    _, states = _train(runs, folder, settings, write_report)
    if states is None:
        return _finished(runs, folder, settings.keep)[1]
    if place is not None:
        shared.keep(folder, place)
    return states


def _finished(
    runs: Sequence[Seeded], folder: Path, keep: int
) -> tuple[list[Position], list[PyTree]]:
    """Where finished runs ended, and their final states."""
    restored = finished.read_newest(folder, keep)
    system, count = runs[0].system, len(runs)
    positions = from_meta(restored.meta) if restored else _first(runs)
    if restored is None or any(position.left(system) for position in positions):
        raise WorkdirError(f"the run in {folder} is not finished; train it first")
    state = jax.device_put(saved_state(system.init, restored.leaves, count))
    return positions, [stacking.part(state, index, count) for index in range(count)]


def _first(runs: Sequence[Seeded]) -> list[Position]:
    return [Position.first(run.system) for run in runs]


def _replicas(
    runs: Sequence[Seeded],
    folder: Path,
    states: Sequence[Mapping[str, PyTree]],
    positions: Sequence[Position],
    stack: contextlib.ExitStack,
) -> list[Replica]:
    """The runs at their positions, each with its folder and its records, which `stack` closes.

    `states` are those of the auxiliary systems of each.
    """
    replicas = []
    for run, auxiliary, position in zip(runs, states, positions, strict=True):
        own = folder if len(runs) == 1 else inner(folder / f"seed_{run.seed}", run.config)
        records = Records(own, position.records, position.total)
        stack.enter_context(contextlib.closing(records))
        replicas.append(Replica(run, own, auxiliary, position, records))
    return replicas


def _conclude(
    replicas: Sequence[Replica],
    states: Sequence[PyTree],
    folder: Path,
    config: Mapping,
    write_report: WriteReport | None,
) -> dict:
    """Concludes all replicas; of several, writes the table and, last, the summary of all."""
    summaries = [
        replica.conclude(state, write_report)
        for replica, state in zip(replicas, states, strict=True)
    ]
    if len(replicas) == 1:
        return summaries[0]
    seeds = [replica.run.seed for replica in replicas]
    numbers = [r.headline(summary) for r, summary in zip(replicas, summaries, strict=True)]
    compared = table.compare(dict(zip(seeds, numbers, strict=True)))
    summary = {
        "system": replicas[0].run.system.name,
        "config": config,
        "seeds": seeds,
        "table": compared,
        "summaries": summaries,
    }
    write_text(folder / "table.md", table.markdown(compared))
    if write_report is not None and is_writer():
        write_report(folder / "report.html", summary, {})
    write_json(folder / "summary.json", summary)
    return summary


def _one_or_all(states: list[PyTree] | None) -> PyTree:
    return states[0] if states and len(states) == 1 else states
