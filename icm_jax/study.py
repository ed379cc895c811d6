"""Runs a study: variants x seeds, each run once for all studies, then a table and figures.

The folder of studies holds

- `runs/<digest of its config>`: every run, an ordinary workdir, whichever studies use it;
- `judges/`: the classifiers that runs of the same seed and data are judged by, trained once;
- `<name of the study>/`: `table.md`, `runs.csv`, `figures/*.png`, `study.json`.

A study goes on where it stopped. Several processes may work on the same folder: each takes the
runs that no other has.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict
from tqdm import tqdm

from icm_jax import composition, experiment, paths, study_config, study_table, training, transfer
from icm_jax import config as configs
from icm_jax.evaluation.specialization import first_kept
from icm_jax.report import lines, series, study_figures, style
from icm_jax.systems import icm_summary
from icm_jax.training.workdir import read_json, write_json, write_text

_log = logging.getLogger(__name__)

# What can be done with a finished run: examine(workdir, settings) -> found, numbers(found),
# tables(founds), figures(founds).
_KINDS = {"transfer": transfer, "composition": composition}
_UNUSABLE = (ValueError, FileNotFoundError, training.CheckpointError)


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
      study: see `icm_jax.study_config.study`.
      root: the folder of studies.

    Returns:
      As in `study.json`: `question`, `rows` (one a run) and what else is there.

    Raises:
      ValueError: the study or one of its variants cannot run.
      WorkdirError: `root` cannot be written.
      Interrupted: SIGTERM or SIGINT; the same call goes on.
    """
    study_config.validate(study)
    for name, settings in study.examinations.items():
        if settings.get("kind") not in _KINDS:
            raise ValueError(
                f"examinations: {name!r} has kind {settings.get('kind')!r}; choose one of "
                f"{', '.join(_KINDS)}"
            )
    root = paths.local(root, "root")
    own = root / study.name
    with training.reasons(own):
        (own / "figures").mkdir(parents=True, exist_ok=True)
    cells = list(_cells(study, root / "runs"))
    rows, found, curves = [], {name: [] for name in study.examinations}, {}
    for number, cell in enumerate(tqdm(cells, study.name, unit="run", disable=None), 1):
        _log.info("run %d of %d: %s, seed %d", number, len(cells), cell.variant, cell.config.seed)
        was_finished = _is_finished(cell)
        if not (was_finished or _train(cell, root / "judges")):
            continue
        for seed, folder in cell.seeds():
            numbers, curve = _read(folder)
            if curve:
                curves.setdefault(cell.variant, {})[f"seed {seed}"] = curve
            row = {"variant": cell.variant, "seed": seed, **numbers}
            for name, examined in _examine(study, folder, own / "examined").items():
                found[name].append(examined)
                numbers = _KINDS[study.examinations[name].kind].numbers(examined)
                row |= {f"{name}: {key}": value for key, value in numbers.items()}
            rows.append(row)
        jax.clear_caches()
        if not was_finished and number < len(cells):
            # What stands so far can be read while the rest is in work.
            _write(study, own, rows)
            _draw(study, own, rows, found, curves)
    if not rows:
        raise training.WorkdirError(f"{study.name}: no run is finished")
    _draw(study, own, rows, found, curves)
    return _write(study, own, rows)


def _cells(study: ConfigDict, runs: Path) -> Iterator[Cell]:
    """All cells; the first seeds of all variants first."""
    for first in range(0, study.seeds, study.at_once):
        for name in study_config.names(study):
            config = study_config.variant(study, name)
            config.seed += first
            config.replicas = min(study.at_once, study.seeds - first)
            yield Cell(name, config, runs / experiment.digest(config))


def _is_finished(cell: Cell) -> bool:
    return (cell.folder / "summary.json").exists()


def _train(cell: Cell, judges: Path) -> bool:
    """Trains a cell, going on where it was stopped; says whether it is finished."""
    judge = judges / _judge_of(cell.config)
    began = time.monotonic()
    try:
        _copy_judge(judge, cell.folder / "classifier", cell.config)
        experiment.run(cell.config, cell.folder)
    except training.InUse:
        _log.warning("%s is in work elsewhere", cell.folder)
        return False
    except (training.NotFinite, training.CheckpointError) as error:
        # The others are worth having; the next call tries this one again.
        _log.error("%s, seed %d failed: %s", cell.variant, cell.config.seed, error)
        return False
    _copy_judge(cell.folder / "classifier", judge, cell.config)
    _log.info("took %.1f minutes", (time.monotonic() - began) / 60)
    return True


def _judge_of(config: ConfigDict) -> str:
    """The digest of all that a judge depends on."""
    fields = ("source", "name", "dir", "size", "pad", "invert", "thicken", "box")
    data = {field: config.data[field] for field in fields}
    if config.classifier.learns == "canonical":
        data |= {field: config.data[field] for field in ("labels", "canonical", "groups")}
        data |= {field: config[field] for field in ("mechanisms", "mixture")}
    return experiment.digest(
        ConfigDict(
            {
                "classifier": config.classifier,
                "data": data,
                "seed": config.seed,
                "replicas": config.replicas,
            }
        )
    )


def _copy_judge(source: Path, target: Path, config: ConfigDict) -> None:
    """Copies a finished judge to where there is none, as the judge of a run with this config."""
    if target.exists() or not (source / "summary.json").exists():
        return
    with training.reasons(target):
        unfinished = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        shutil.copytree(source, unfinished, ignore=shutil.ignore_patterns(".lock", "tensorboard"))
        write_json(unfinished / "config.json", configs.to_dict(config))
        unfinished.rename(target)


def _read(folder: Path) -> tuple[dict[str, Any], tuple[list, list] | None]:
    """What a finished run came to, and how many mechanisms were identified at which steps.

    The second is None where nobody competed.
    """
    summary = read_json(folder / "summary.json")
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    numbers, curve = icm_summary.headline(summary), None
    if "identified" in numbers:
        kept = first_kept(*series.evaluated(records, "identified_mechanisms"))
        numbers["steps until all stay identified"] = None if None in kept else max(kept)
        curve = series.evaluated(records, "identified")
    seconds = sum(p["seconds"] + p["compile_seconds"] for p in summary["phases"].values())
    return numbers | {"minutes of training": seconds / 60}, curve


def _examine(study: ConfigDict, folder: Path, examined: Path) -> dict[str, dict]:
    """What each examination found in a run, from the disk where it was done before."""
    found = {}
    for name, settings in study.examinations.items():
        run = f"{folder.parent.name}-{folder.name}"
        path = examined / f"{name}-{run}-{experiment.digest(settings)}.json"
        found[name] = read_json(path)
        if found[name] is not None:
            continue
        try:
            found[name] = _KINDS[settings.kind].examine(folder, settings)
        except _UNUSABLE as error:
            # Data that are not here, say: the runs are worth having without.
            _log.error("%s of %s failed: %s", name, folder, error)
            del found[name]
            continue
        examined.mkdir(exist_ok=True)
        write_json(path, found[name])
    return found


def _write(study: ConfigDict, own: Path, rows: list[dict]) -> dict[str, Any]:
    """Writes table, rows and summary; returns the summary."""
    missing = study.seeds * len(study.variants) - len(rows)
    steps = study.base.competition.steps
    summary = {
        "question": study.question,
        "config": configs.to_dict(study),
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "missing_runs": missing,
        "rows": rows,
    }
    note = f"{steps} steps of competition; {summary['device']}, JAX {jax.__version__}, "
    note += summary["date"] + (f"; {missing} runs missing" if missing else "")
    parts = [study.question]
    for name in ("", *study.examinations):
        mine = study_table.of_prefix(rows, name)
        table = study_table.markdown(study_table.compare(mine))
        parts.append(f"{name}\n\n{table}" if name else table)
    write_text(own / "table.md", "\n\n".join([*parts, note]) + "\n")
    write_text(own / "runs.csv", study_table.csv_text(rows))
    write_json(own / "study.json", summary)
    return summary


def _draw(
    study: ConfigDict,
    own: Path,
    rows: list[dict],
    found: dict[str, list[dict]],
    curves: dict[str, dict],
) -> None:
    """Draws what is known, and writes the tables of examinations."""
    with style.shipped():
        _draw_all(study, own, rows, found, curves)


def _draw_all(
    study: ConfigDict,
    own: Path,
    rows: list[dict],
    found: dict[str, list[dict]],
    curves: dict[str, dict],
) -> None:
    drawn = {"comparison": study_figures.comparison(study_table.by_variant(rows))}
    if curves:
        title = "Mechanisms identified along training"
        drawn["identified"] = lines.panels(curves, title, share_y=True)
    for name, founds in found.items():
        if founds:
            kind = _KINDS[study.examinations[name].kind]
            figures = kind.figures(founds).items()
            drawn |= {f"{name}_{key}": figure for key, figure in figures}
            for key, (head, lines_) in kind.tables(founds).items():
                text = study_table.markdown((head, study_table.texts(head, lines_)))
                write_text(own / f"{name}_{key}.md", text)
    folder = own / "figures"
    with training.reasons(folder):
        for name, figure in drawn.items():
            with paths.replaced(folder / f"{name}.png") as unfinished:
                figure.savefig(unfinished, format="png")
