"""A run in pictures: all wrappers of the cubic side by side, and curves of tables."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icm_jax.report import lines, series, style
from icm_jax.system import Evaluation
from icm_jax.systems.risk.regression.data import EDGE
from icm_jax.systems.risk.regression.measures import FRACTIONS, LEVELS

_COLUMNS = 4
_MOST = 40.0  # of y, beyond which a picture of the cubic does not go
_BELOW = {"density": "log density", "novelty": "novelty"}
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
        above = figure.add_subplot(grid[2 * line, column])
        below = figure.add_subplot(grid[2 * line + 1, column], sharex=above)
        above.set_title(row, fontsize=style.MEDIUM)
        _draw_bands(above, arrays, row)
        _draw_below(below, arrays, row)
        above.tick_params(labelbottom=False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    for axes in figure.axes:
        named |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
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


def _draw_below(axes: Axes, arrays: Arrays, row: str) -> None:
    """Density or novelty, where a wrapper has one; both have an axis of their own."""
    present = [name for name in _BELOW if f"{name}: {row}" in arrays]
    for number, name in enumerate(present):
        own = axes.twinx() if number else axes
        color = style.COLORS[2 + number]
        own.plot(arrays["x"], arrays[f"{name}: {row}"], color=color, label=_BELOW[name])
        own.tick_params(axis="y", labelsize=style.SMALL, colors=color)
    if present:
        _mark_edges(axes)
    else:
        axes.set_yticks([])
        style.tidy(axes)


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
