"""Examines finished runs as the examinations of a study's config say."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import paths, training
from icm_jax.config import digest, from_workdir
from icm_jax.report import markdown, style
from icm_jax.schema import check_settings
from icm_jax.study import tables
from icm_jax.systems import registry
from icm_jax.systems.kind import Examination, Findings
from icm_jax.training.workdir import read_json, write_json, write_text

_log = logging.getLogger(__name__)

_UNUSABLE = (
    *(ValueError, FileNotFoundError),
    *(training.CheckpointError, training.NotFinite, training.OutOfMemory, training.WorkdirError),
)


def check(examinations: Mapping[str, ConfigDict], base: ConfigDict) -> None:
    """Refuses examinations that the runs of a config cannot be given.

    Args:
      examinations: name -> settings, of which `kind` names one that the system of `base` has.
      base: the config.

    Raises:
      ValueError: naming the examination, the field, its value and what is allowed.
    """
    for name, settings in examinations.items():
        examination = find(settings, base, name)
        try:
            check_settings(settings, examination.settings)
        except ValueError as error:
            raise ValueError(f"examinations: {name!r}: {error}") from error


def find(settings: ConfigDict, base: ConfigDict, name: str = "") -> Examination:
    """The examination that `settings.kind` names, of the system of a config.

    Raises:
      ValueError: it has none of that name; the message says of which examination.
    """
    known = registry.kind_of(base).examinations
    kind = settings.get("kind")
    if kind not in known:
        allowed = f"choose one of {', '.join(known)}" if known else f"{base.system} has none"
        raise ValueError(f"examinations: {name!r} has kind {kind!r}; {allowed}")
    return known[kind]


@training.telling_memory()
def examine_run(workdir: str | os.PathLike, study: ConfigDict) -> dict[str, Mapping[str, Any]]:
    """Examines a finished run, of one seed, as a study would its own.

    Writes what was found to `<workdir>/examined`: `<name>.json`, tables and figures. An examination
    that cannot be done, for want of its data, say, is left out, and said.

    Args:
      workdir: of the run.
      study: `study.examinations` are done; see `icm_jax.study.config.study`.

    Returns:
      The headline of each examination by its name.

    Raises:
      ValueError: there are no examinations, one has settings that are not allowed, or none can be
        done.
      FileNotFoundError: none can be done, since data are not there.
      WorkdirError, CheckpointError: the run is not finished, or cannot be read or written.
    """
    if not study.get("examinations"):
        raise ValueError("config: it has no examinations; take a study that has, of configs/study")
    workdir = paths.local(workdir, "workdir")
    config = from_workdir(workdir)
    check(study.examinations, config)
    folder = workdir / "examined"
    with training.reasons(folder):
        folder.mkdir(exist_ok=True)
    headlines, last = {}, None
    for name, settings in study.examinations.items():
        examination = find(settings, config, name)
        try:
            found = examination.examine(workdir, settings)
        except training.InUse:
            raise
        except _UNUSABLE as error:
            last = error
            _log.error("%s of %s failed: %s", name, workdir, error)
            continue
        write_json(folder / f"{name}.json", found)
        with style.shipped():
            save_figures(folder, report(name, examination, [found], folder))
        headlines[name] = examination.numbers(found)
    if not headlines:
        raise last
    return headlines


def examine_cached(study: ConfigDict, folder: Path, examined: Path) -> dict[str, Findings]:
    """What each examination of a study found in a run; in `examined` what was found before.

    One that cannot be done is left out, and said: the run is worth having without.

    Raises:
      InUse: another process examines the run.
    """
    found = {}
    for name, settings in study.examinations.items():
        # Of this training: a run that is trained anew is examined anew.
        trained = paths.digest_file(folder / "summary.json")[:8]
        run = f"{folder.parent.name}-{folder.name}-{trained}"
        path = examined / f"{name}-{run}-{digest(settings)}.json"
        known = read_json(path)
        if known is None:
            try:
                with training.telling_memory():
                    known = find(settings, study.base, name).examine(folder, settings)
            except training.InUse:
                raise
            except _UNUSABLE as error:
                _log.error("%s of %s failed: %s", name, folder, error)
                continue
            examined.mkdir(exist_ok=True)
            write_json(path, known)
        found[name] = known
    return found


def report(
    name: str, examination: Examination, found: Sequence[Findings], folder: Path
) -> dict[str, Figure]:
    """Writes the tables of what an examination found in several runs; returns its figures."""
    for key, (head, rows) in examination.tables(found).items():
        text = markdown.table(head, tables.texts(head, rows))
        write_text(folder / f"{name}_{key}.md", text)
    return {f"{name}_{key}": figure for key, figure in examination.figures(found).items()}


def save_figures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Writes figures to `<folder>/<name>.png`.

    Raises:
      WorkdirError: they cannot be written.
    """
    with training.reasons(folder):
        for name, figure in figures.items():
            with paths.replaced(folder / f"{name}.png") as unfinished:
                figure.savefig(unfinished, format="png")
