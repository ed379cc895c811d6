"""Runs a study: variants x seeds, each run once for all studies, then a table and figures.

The folder of studies holds

- `runs/<digest of its config>`: every run, an ordinary workdir, whichever studies use it;
- `<name of the study>/`: `table.md`, `runs.csv`, `figures/*.png`, `study.json`.

A study goes on where it stopped. Several processes may work on the same folder: each takes the
runs that no other has, and when it has taken all, those that others have left. The last that ends
writes what all came to.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict
from tqdm import tqdm

from icm_jax import experiment, paths, training
from icm_jax.config import digest
from icm_jax.report import series
from icm_jax.study import config as study_config
from icm_jax.study import results
from icm_jax.study.examine import examine_cached, find
from icm_jax.systems import registry
from icm_jax.training.workdir import read_json

# Of one run alone, such as for want of its data.
_FAILURES = (
    *(ValueError, FileNotFoundError),
    *(training.CheckpointError, training.NotFinite, training.OutOfMemory),
)

_log = logging.getLogger(__name__)


class Cell(NamedTuple):
    """Runs of a variant that are trained together: seeds `config.seed` and on."""

    variant: str
    config: ConfigDict
    folder: Path

    def seeds(self) -> list[tuple[int, Path]]:
        """Each seed with its folder."""
        first, count = self.config.seed, self.config.replicas
        if count == 1:
            return [(first, self.folder)]
        return [(seed, self.folder / f"seed_{seed}") for seed in range(first, first + count)]


def run(study: ConfigDict, root: str | os.PathLike) -> dict[str, Any]:
    """Trains and examines what is missing, and writes what the study came to.

    Args:
      study: see `icm_jax.study.config.study`.
      root: the folder of studies.

    Returns:
      As in `study.json`: `question`, `rows` (one a run) and what else is there.

    Raises:
      ValueError: the study, one of its variants or one of its examinations cannot be run.
      WorkdirError: `root` cannot be written, or no run is finished.
      Interrupted: SIGTERM or SIGINT; the same call goes on.
    """
    study_config.validate(study)
    root = paths.local(root, "workdir")
    own = root / study.name
    with training.reasons(own):
        (own / "figures").mkdir(parents=True, exist_ok=True)
    cells = list(_cells(study, root / "runs"))
    each: dict[int, results.Results] = {}
    waiting = range(len(cells))
    while waiting:
        elsewhere = []
        for number in tqdm(waiting, study.name, unit="run", disable=None):
            cell, was_finished = cells[number], _is_finished(cells[number])
            _log.info(
                "run %d of %d: %s, seed %d", number + 1, len(cells), cell.variant, cell.config.seed
            )
            try:
                if not (was_finished or _train(cell)):
                    continue
                each[number] = _collect(study, cell, own / "examined")
            except training.InUse:
                _log.warning("%s is in work elsewhere", cell.folder)
                elsewhere.append(number)
                continue
            jax.clear_caches()
            if not was_finished and len(each) < len(cells):
                # What stands so far can be read while the rest is in work.
                results.write(study, own, _join(study, each))
        # While this process trained, others may have finished theirs, or left them.
        waiting = elsewhere if len(elsewhere) < len(waiting) else []
    return _conclude(study, own, cells, each)


def _conclude(
    study: ConfigDict, own: Path, cells: Sequence[Cell], each: dict[int, results.Results]
) -> dict[str, Any]:
    """Writes what the study came to, again where others have finished runs meanwhile.

    So whichever process is the last to write has seen all.
    """
    if not each:
        raise training.WorkdirError(f"{study.name}: no run is finished")
    while True:
        summary = results.write(study, own, _join(study, each))
        late = [n for n, cell in enumerate(cells) if n not in each and _is_finished(cell)]
        if not late:
            return summary
        try:
            each |= {number: _collect(study, cells[number], own / "examined") for number in late}
        except training.InUse:
            return summary  # whoever examines these writes what all came to


def _join(study: ConfigDict, each: Mapping[int, results.Results]) -> results.Results:
    """The results of all cells by their numbers, in that order."""
    return results.join(study, [each[number] for number in sorted(each)])


def _cells(study: ConfigDict, runs: Path) -> Iterator[Cell]:
    """All cells; the first seeds of all variants first."""
    for first in range(0, study.seeds, study.seeds_per_run):
        for name in study_config.names(study):
            config = study_config.variant(study, name)
            config.seed += first
            config.replicas = min(study.seeds_per_run, study.seeds - first)
            yield Cell(name, config, runs / digest(config))


def _is_finished(cell: Cell) -> bool:
    return (cell.folder / "summary.json").exists()


def _train(cell: Cell) -> bool:
    """Trains a cell, going on where it was stopped; says whether it is finished.

    Raises:
      InUse: another process trains it.
    """
    began = time.monotonic()
    try:
        experiment.run(cell.config, cell.folder)
    except _FAILURES as error:
        # The others are worth having; the next call tries this one again.
        _log.error("%s, seed %d failed: %s", cell.variant, cell.config.seed, error)
        return False
    _log.info("took %.1f minutes", (time.monotonic() - began) / 60)
    return True


def _collect(study: ConfigDict, cell: Cell, examined: Path) -> results.Results:
    """The results of a finished cell."""
    made = results.Results.of(study)
    for seed, folder in cell.seeds():
        _add(study, made, cell, seed, folder, examined)
    return made


def _add(
    study: ConfigDict,
    made: results.Results,
    cell: Cell,
    seed: int,
    folder: Path,
    examined: Path,
) -> None:
    """Adds a finished run to the results: its row, its curve and what examinations found in it."""
    summary = read_json(folder / "summary.json")
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kind = registry.kind_of(summary)
    seconds = sum(p["seconds"] + p["compile_seconds"] for p in summary["phases"].values())
    row = {"variant": cell.variant, "seed": seed, **kind.numbers(summary, records)}
    row["minutes of training"] = seconds / 60 / cell.config.replicas  # of all seeds at once
    if kind.curve is not None and kind.curve.number in row:
        curve = series.evaluated(records, kind.curve.scalar)
        made.curves.setdefault(cell.variant, {})[f"seed {seed}"] = curve
    for name, found in examine_cached(study, folder, examined).items():
        made.found[name].append(found)
        numbers = find(study.examinations[name], study.base, name).numbers(found)
        row |= {f"{name}: {key}": value for key, value in numbers.items()}
    made.steps.append({name: phase["steps"] for name, phase in summary["phases"].items()})
    made.rows.append(row)
