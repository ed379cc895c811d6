"""A run in pictures: all wrappers of the cubic side by side, and curves of tables."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icm_jax.report import lines, series, style
from icm_jax.system import Evaluation
from icm_jax.systems.risk.regression.data import EDGE
from icm_jax.systems.risk.regression.measures import FRACTIONS, LEVELS

_COLUMNS = 4
_MOST = 16.0  # of y, beyond which a picture of the cubic does not go: noise is to be seen
_BELOW = {
    "density": ("log density", style.COLORS[2]),
    "novelty": ("novelty", style.COLORS[3]),
}
Arrays = Mapping[str, np.ndarray]


def draw(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name."""
    arrays, rows = evaluation.arrays, list(evaluation.summary["results"])
    right = {"": (LEVELS, LEVELS)}
    drawn = {
        "calibration": lines.curves(
            right | {row: (LEVELS, arrays[f"calibration: {row}"]) for row in rows},
            "Calibration",
            "share of targets inside",
            xlabel="level of the interval",
        ),
        "sparsification": lines.panels(
            {
                row: {
                    "by uncertainty": (FRACTIONS, arrays[f"sparsification: {row}"]),
                    "by the errors themselves": (FRACTIONS, arrays[f"oracle: {row}"]),
                }
                for row in rows
            },
            "Mean absolute error without the most uncertain rows",
            "share of that of all",
            xlabel="share left out",
            share_y=True,
        ),
        "along_training": _along_training(rows, records),
        "losses": lines.panels(series.charts(records), "Training"),
    }
    if "x" in arrays:
        drawn["wrappers"] = side_by_side(arrays, rows)
    return drawn


def side_by_side(arrays: Arrays, rows: list[str]) -> Figure:
    """All wrappers of the cubic: mean, bands of two standard deviations, points; below the rest.

    Args:
      arrays: `x` and `curve` `[m]`, `points` `[n, 2]`, and `<field of Risk>: <row>` `[m]`.
      rows: names of the results.
    """
    columns = min(_COLUMNS, len(rows))
    count = math.ceil(len(rows) / columns)
    figure = style.figure(2.9 * columns, 3.1 * count + 0.5, "A cubic with uneven noise")
    grid = figure.add_gridspec(2 * count, columns, height_ratios=[3, 1] * count)
    for index, row in enumerate(rows):
        line, column = divmod(index, columns)
        present = [name for name in _BELOW if f"{name}: {row}" in arrays]
        place = 2 * line if present else slice(2 * line, 2 * line + 2)
        above = figure.add_subplot(grid[place, column])
        above.set_title(row, fontsize=style.MEDIUM)
        _draw_bands(above, arrays, row)
        if present:
            below = figure.add_subplot(grid[2 * line + 1, column], sharex=above)
            _draw_below(below, arrays, row, present)
            above.tick_params(labelbottom=False)
    named = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    figure.legend(
        list(named.values()),
        list(named),
        loc="outside lower center",
        ncols=len(named),
        fontsize=style.SMALL,
        frameon=False,
    )
    return figure


def _draw_bands(axes: Axes, arrays: Arrays, row: str) -> None:
    x, mean = arrays["x"], arrays[f"prediction: {row}"]
    axes.scatter(*arrays["points"].T, s=1, color="0.6", linewidths=0, rasterized=True)
    axes.plot(x, arrays["curve"], color=style.GREY, linewidth=0.8, linestyle="--", label="truth")
    for number, name in enumerate(("epistemic", "aleatoric")):
        if f"{name}: {row}" in arrays:
            reach = 2 * np.sqrt(arrays[f"{name}: {row}"])
            axes.fill_between(
                x,
                mean - reach,
                mean + reach,
                color=style.COLORS[1 - number],
                alpha=0.3,
                linewidth=0,
                label=name,
            )
    axes.plot(x, mean, color=style.COLORS[6], linewidth=1.2, label="prediction")
    axes.set_ylim(-_MOST, _MOST)
    _mark_edges(axes)


def _draw_below(axes: Axes, arrays: Arrays, row: str, present: Sequence[str]) -> None:
    """Density and novelty, of those that are present; a second one has an axis of its own."""
    _mark_edges(axes)
    for number, name in enumerate(present):
        own = axes.twinx() if number else axes
        label, color = _BELOW[name]
        own.plot(arrays["x"], arrays[f"{name}: {row}"], color=color, label=label)
        own.spines["top"].set_visible(False)
        own.tick_params(axis="y", labelsize=style.SMALL, colors=color)


def _mark_edges(axes: Axes) -> None:
    """Where there are no points any more."""
    style.tidy(axes)
    for edge in (-EDGE, EDGE):
        axes.axvline(edge, color="0.8", linewidth=0.8)


def _along_training(rows: list[str], records: list[dict]) -> Figure:
    """RMSE and NLL on test rows."""
    charts = {
        label: {row: series.evaluated(records, f"{row} {name}") for row in rows}
        for name, label in (("rmse", "RMSE"), ("nll", "NLL"))
    }
    return lines.panels(charts, "Test rows along training", log_y=True)
