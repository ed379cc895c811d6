"""A detector in pictures: groups along training, recall by score, rare and common faces."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import figures, lines, series
from icm_jax.system import Evaluation

_LABELS = {
    "density": "log density",
    "epistemic": "epistemic uncertainty",
    "aleatoric": "aleatoric uncertainty",
    "novelty": "novelty",
}


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
    bins = evaluation.summary["bins"]
    if bins:
        drawn["bins"] = _draw_bins(bins)
    return drawn | _draw_faces(evaluation.arrays)


def _of_groups(names, records, scalar: str) -> lines.Series:
    steps, values = series.evaluated(records, scalar)
    return {
        str(name): (steps, [value[number] for value in values]) for number, name in enumerate(names)
    }


def _draw_bins(bins: Mapping[str, list[float]]) -> Figure:
    percent = np.arange(5, 100, 10)
    charts = {_LABELS[name]: {"": (percent, recall)} for name, recall in bins.items()}
    return lines.panels(
        charts, "Recall of test faces by what is known of them", "recall", "percentile", True
    )


def _draw_faces(arrays: Mapping[str, np.ndarray]) -> dict[str, Figure]:
    """Faces of people, drawn for the report of the run alone."""
    if not arrays:
        return {}
    shown = np.stack([arrays["least"], arrays["most"]]) / 255
    count = shown.shape[1]
    means = arrays["means"][None]
    percent = [f"{10 * number + 5} %" for number in range(means.shape[1])]
    return {
        "faces": figures.image_grid(
            shown,
            ["least", "most"],
            [str(number + 1) for number in range(count)],
            "The least and the most represented training faces",
        ),
        "mean_faces": figures.image_grid(
            means, ["mean"], percent, "Mean training face by percentile of density"
        ),
    }
