"""The figures of examinations of finished runs: transfer to other data, pairs of mechanisms."""

from collections.abc import Mapping, Sequence
from typing import Any

import chex
import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import lines, style
from icm_jax.report.figures import image_grid, matrix


def draw_dots(
    panels: Mapping[str, Mapping[str, np.ndarray]], names: Sequence[str], title: str = ""
) -> Figure:
    """Draws numbers of many things: a row for each, a column of charts, a dot for each number.

    Where there are several seeds the dot is their mean and a line goes from the least to the
    largest.

    Args:
      panels: what a chart measures -> label -> float `[S, N]`, of S seeds; nan for no number.
      names: N things, from top to bottom.
      title: above the figure.

    Returns:
      A figure with one axes for each chart.

    Raises:
      AssertionError: an array is not `[S, N]`.
    """
    rows = np.arange(len(names))
    # Many labels of one chart would be wider than it is.
    beside = len(panels) == 1 and len(next(iter(panels.values()))) > 3
    width = 2.4 + 2.6 * (len(panels) + beside)
    figure = style.figure(width, 1.2 + 0.22 * len(names), title)
    charts = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (measure, series) in zip(charts, panels.items(), strict=True):
        for index, (label, values) in enumerate(series.items()):
            values = np.asarray(values, float)
            chex.assert_shape(values, (None, len(names)))
            color = style.line(index)["color"]
            there = ~np.isnan(values).all(axis=0)
            known = values[:, there]
            axes.hlines(rows[there], np.nanmin(known, 0), np.nanmax(known, 0), color, lw=1.2)
            axes.plot(np.nanmean(known, 0), rows[there], "o", ms=4, color=color, label=label)
        style.tidy(axes)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(measure, fontsize=style.MEDIUM)
        if beside:
            figure.legend(loc="outside right upper", fontsize=style.SMALL, frameon=False)
        elif len(series) > 1:
            axes.legend(
                fontsize=style.SMALL,
                frameon=False,
                loc="lower center",
                ncols=len(series),
                bbox_to_anchor=(0.5, 1.0),
            )
    charts[0].set_yticks(rows, names, fontsize=style.SMALL)
    charts[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def draw_ways(found: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draws the accuracy of each of the `ways` that examinations found, mechanism by mechanism."""
    series = {
        way: np.array([run["ways"][way]["accuracy"] for run in found]) for way in found[0]["ways"]
    }
    return draw_dots({"accuracy": series}, found[0]["mechanisms"], title)


def draw_samples(
    originals: np.ndarray,
    transformed: np.ndarray,
    restored: np.ndarray,
    right: np.ndarray,
    mechanisms: Sequence[str],
) -> Figure:
    """Draws an image of each mechanism with what its winner made of it, in three rows.

    Args:
      originals: float `[M, H, W, C]` in `[0, 1]`.
      transformed: likewise, image m by mechanism m.
      restored: likewise.
      right: bool `[M]`, whether the mechanism's own expert won; what it made is framed.
      mechanisms: M names.

    Returns:
      A figure with one axes.

    Raises:
      AssertionError: a shape is another one.
    """
    rows = {"original": originals, "input": transformed, "restored": restored}
    framed = np.zeros((3, len(mechanisms)), bool)
    framed[2] = right
    title = "What the winners make of other data (framed: the mechanism's own expert)"
    return image_grid(np.stack(list(rows.values())), list(rows), mechanisms, title, framed)


def draw_pairs(accuracy: np.ndarray, mechanisms: Sequence[str], succeeds: np.ndarray) -> Figure:
    """Draws the accuracy on restored images of all ordered pairs of mechanisms.

    Args:
      accuracy: float `[M, M]` in `[0, 1]`, of the row's mechanism followed by the column's; on
        the diagonal of one alone.
      mechanisms: M names.
      succeeds: bool `[M, M]`, the pairs to frame; the diagonal never is.

    Returns:
      A figure with one axes.

    Raises:
      AssertionError: a shape is another one.
    """
    chex.assert_shape([accuracy, succeeds], (len(mechanisms), len(mechanisms)))
    framed = np.asarray(succeeds) & ~np.eye(len(mechanisms), dtype=bool)
    off = (~np.eye(len(mechanisms), dtype=bool)).sum()
    return matrix(
        accuracy,
        mechanisms,
        mechanisms,
        f"Restored after two mechanisms: {framed.sum()} of {off} pairs succeed (framed; on the "
        "diagonal one mechanism alone)",
        row_title="first",
        column_title="then",
        framed=framed,
    )


def draw_applications(
    accuracy: Mapping[str, Sequence[float]], restored: Mapping[str, float]
) -> Figure:
    """Draws the accuracy on restored images against how often experts were applied.

    Args:
      accuracy: what was transformed -> float `[K + 1]` in `[0, 1]`, after 0, 1, ... K
        applications.
      restored: likewise -> accuracy where the score says how many each image has; the legend
        tells it.

    Returns:
      A figure with one axes.
    """
    figure = lines.curves(
        {
            f"{name}: {restored[name]:.1%}": (range(len(values)), values)
            for name, values in accuracy.items()
        },
        "Accuracy of a classifier on restored images (in the legend: stopped by the score)",
        "accuracy",
        xlabel="applications of the experts",
    )
    (axes,) = figure.axes
    axes.xaxis.get_major_locator().set_params(integer=True)
    return figure
