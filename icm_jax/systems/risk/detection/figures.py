"""A detector in pictures: groups along training, recall by score, rare and common faces."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import figures, lines, series
from icm_jax.system import Evaluation

LABELS = {
    "density": "log density",
    "epistemic": "epistemic uncertainty",
    "aleatoric": "aleatoric uncertainty",
    "novelty": "novelty",
}
PERCENT = tuple(range(5, 100, 10))  # the middles of ten bins
_TIMES = ("first epoch", "end")


def draw(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name.

    Args:
      evaluation: the last one.
      records: as in `metrics.jsonl`.
    """
    names = [row["name"] for row in evaluation.summary["groups"]]
    drawn = {
        "recall": lines.curves(
            _of_groups(names, records, "group_recall"), "Recall of each group", "recall"
        ),
        "sampling": lines.curves(
            _of_groups(names, records, "sampled_share"), "Faces drawn", "share of the faces"
        ),
        "training": lines.panels(series.charts(records), "Training"),
    }
    if evaluation.summary["bins"]:
        drawn["bins"] = _draw_bins(tuple(evaluation.summary["bins"]), records)
    if evaluation.summary["luminance"]:
        drawn["luminance"] = _draw_luminance(evaluation.summary["luminance"])
    return drawn | _draw_faces(evaluation.arrays)


def _of_groups(names, records, scalar: str) -> lines.Series:
    steps, values = series.evaluated(records, scalar)
    return {
        str(name): (steps, [value[number] for value in values]) for number, name in enumerate(names)
    }


def _draw_luminance(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Recall and each score of the quarters at their mean luminance."""
    rows = [row for row in rows if row["faces"]]
    at = [row["luminance"] for row in rows]
    charts = {
        {"recall": "recall", **LABELS}[name]: {"": (at, [row[name] for row in rows])}
        for name in ("recall", *LABELS)
        if rows and name in rows[0]
    }
    title = "Test faces that nothing was done to, by quarters of luminance"
    return lines.panels(charts, title, "mean", "luminance (0 to 255)")


def _draw_bins(scores: Sequence[str], records: list[dict]) -> Figure:
    """Recall by each score after the first epoch, before faces are weighed, and at the end."""
    trained = [record for record in records if record["step"] > 0] or records
    charts = {}
    for name in scores:
        steps, recalls = series.evaluated(trained, f"recall_by_{name}")
        charts[LABELS[name]] = {f"step {steps[at]}": (PERCENT, recalls[at]) for at in (0, -1)}
    return lines.panels(
        charts, "Recall of test faces by what is known of them", "recall", "percentile", True
    )


def _draw_faces(arrays: Mapping[str, np.ndarray]) -> dict[str, Figure]:
    """Faces of people, drawn for the report of the run alone."""
    if not arrays:
        return {}
    times = _TIMES[-len(arrays["means"]) :]
    shown = np.concatenate([arrays["least"], arrays["most"]]) / 255
    percent = [f"{value} %" for value in PERCENT]
    return {
        "faces": figures.image_grid(
            shown,
            [f"{which}, {time}" for which in ("least", "most") for time in times],
            [str(number + 1) for number in range(shown.shape[1])],
            "The least and the most represented training faces",
        ),
        "mean_faces": figures.image_grid(
            arrays["means"], times, percent, "Mean training face by percentile of density"
        ),
    }
