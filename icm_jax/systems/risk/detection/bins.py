"""Recall in ten bins of a score, methods side by side: before and after faces are weighed.

`erm` draws all faces alike, as before; the other methods are trained for as many steps. Bins are
by the scores of each method's own network.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax.report import lines
from icm_jax.schema import Field, Schema, one_of
from icm_jax.systems.kind import Examination, Findings, Table
from icm_jax.systems.risk.detection.config import METHODS
from icm_jax.systems.risk.detection.figures import LABELS, PERCENT
from icm_jax.training import finished

SETTINGS = Schema({"kind": Field("bins", one_of(("bins",)), "the examination")})


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """The method of a finished run and its recall by each score.

    Returns:
      `method`, see `name_method`; `bins`, by score the recall `[10]` of test faces from low to
      high.

    Raises:
      ValueError, WorkdirError: it is no finished run of one seed, or has too few test faces.
    """
    del settings
    run = finished.read(workdir)
    bins = run.said("bins")
    if not bins:
        raise ValueError(f"workdir: the run in {run.folder} has too few test faces for ten bins")
    return {"method": name_method(run.config), "bins": bins}


def name_method(config: ConfigDict) -> str:
    """The method whose fields a config has: of several, that with the most of them."""

    def has(fields: Mapping[str, Any], within: Any) -> bool:
        return all(
            has(value, within[name]) if isinstance(value, Mapping) else within[name] == value
            for name, value in fields.items()
        )

    fitting = [name for name, fields in METHODS.items() if has(fields, config)]
    return max(fitting, key=lambda name: sum(map(len, METHODS[name].values())))


def numbers(found: Findings) -> dict[str, float]:
    """Recall where a score is at its worst: the tenth of least density, of most uncertainty."""
    return {
        f"{LABELS[name]}, worst tenth": recall[0 if name == "density" else -1]
        for name, recall in found["bins"].items()
    }


def tables(found: Sequence[Findings]) -> dict[str, Table]:
    """By score: a row a method, mean recall in each bin."""
    head = ("method", *(f"{percent} %" for percent in PERCENT))
    return {
        score: (head, [[method, *means] for method, means in rows.items()])
        for score, rows in _means(found).items()
    }


def figures(found: Sequence[Findings]) -> dict[str, Figure]:
    """A panel a score, a line a method: means over runs."""
    charts = {
        LABELS[score]: {method: (PERCENT, means) for method, means in rows.items()}
        for score, rows in _means(found).items()
    }
    title = "Recall of test faces by what is known of them (means over seeds)"
    return {"recall": lines.panels(charts, title, "recall", "percentile", share_y=True)}


def _means(found: Sequence[Findings]) -> dict[str, dict[str, list[float]]]:
    """Score -> method -> mean recall `[10]` over the runs that have the score."""
    recalls: dict[str, dict[str, list[list[float]]]] = {}
    for run in found:
        for score, recall in run["bins"].items():
            recalls.setdefault(score, {}).setdefault(run["method"], []).append(recall)
    return {
        score: {method: np.mean(runs, axis=0).tolist() for method, runs in rows.items()}
        for score, rows in recalls.items()
    }


EXAMINATIONS = {"bins": Examination(SETTINGS, examine, numbers, tables, figures)}
