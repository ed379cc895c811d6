"""What the runs of a study came to, and the files that say so."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from icm_jax.config import to_dict
from icm_jax.report import lines, markdown, style
from icm_jax.study import figures, tables
from icm_jax.study.examine import find, report, save_figures
from icm_jax.systems import registry
from icm_jax.training.workdir import write_json, write_text


class Results(NamedTuple):
    """What is known of the runs of a study so far, to be added to.

    Attributes:
      rows: one a run: `variant`, `seed` and its numbers by name.
      found: by examination, what it found in each run.
      curves: variant -> `seed <number>` -> (steps, values) of the system's curve.
      steps: one a run: by phase, how many steps it took.
    """

    rows: list[dict[str, Any]]
    found: dict[str, list[Mapping[str, Any]]]
    curves: dict[str, dict[str, tuple[list, list]]]
    steps: list[dict[str, int]]

    @classmethod
    def of(cls, study: ConfigDict) -> "Results":
        """Nothing yet."""
        return cls([], {name: [] for name in study.examinations}, {}, [])


def join(study: ConfigDict, parts: Sequence[Results]) -> Results:
    """The results of several parts of a study as one, in their order."""
    made = Results.of(study)
    for part in parts:
        made.rows.extend(part.rows)
        made.steps.extend(part.steps)
        for name, found in part.found.items():
            made.found[name].extend(found)
        for variant, curves in part.curves.items():
            made.curves.setdefault(variant, {}).update(curves)
    return made


def write(study: ConfigDict, own: Path, results: Results) -> dict[str, Any]:
    """Writes tables, figures and, last, `study.json` of a study into its folder; returns that."""
    missing = study.seeds * len(study.variants) - len(results.rows)
    summary = {
        "question": study.question,
        "config": to_dict(study),
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "missing_runs": missing,
        "rows": results.rows,
    }
    note = f"{_describe_steps(results.steps)}; {summary['device']}, JAX {jax.__version__}, "
    note += summary["date"] + (f"; {missing} runs missing" if missing else "")
    parts = [study.question]
    for name in ("", *study.examinations):
        mine = tables.of_prefix(results.rows, name)
        table = markdown.table(*tables.compare(mine))
        parts.append(f"{name}\n\n{table}" if name else table)
    with style.shipped():
        _draw(study, own, results)
    write_text(own / "table.md", "\n\n".join([*parts, note]) + "\n")
    write_text(own / "runs.csv", tables.csv_text(results.rows))
    write_json(own / "study.json", summary)
    return summary


def _draw(study: ConfigDict, own: Path, results: Results) -> None:
    """Draws what is known, and writes the tables of examinations."""
    drawn = {"comparison": figures.comparison(tables.by_variant(results.rows))}
    curve = registry.kind_of(study.base).curve
    if results.curves and curve is not None:
        drawn[curve.scalar] = lines.panels(results.curves, curve.title, share_y=True)
    for name, found in results.found.items():
        if found:
            examination = find(study.examinations[name], study.base, name)
            drawn |= report(name, examination, found, own)
    save_figures(own / "figures", drawn)


def _describe_steps(runs: Sequence[Mapping[str, int]]) -> str:
    """The steps of each phase, the least and the most of all runs: `competition 600 steps`."""
    said = []
    for phase in dict.fromkeys(name for run in runs for name in run):
        steps = [run[phase] for run in runs if phase in run]
        least, most = min(steps), max(steps)
        said.append(f"{phase} {most if least == most else f'{least} to {most}'} steps")
    return ", ".join(said)
