"""Line charts: one, or many side by side."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icm_jax.report import style

# label -> (steps [T], values [T]); a value that is None or nan leaves a gap. The label "" has no
# entry in the legend.
Series = Mapping[str, tuple[Sequence[float], Sequence[float | None]]]


def curves(
    series: Series,
    title: str = "",
    ylabel: str = "",
    bounds: Mapping[str, float] | None = None,
    xlabel: str = "step",
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Draws one chart with a line for each series.

    Args:
      series: label -> (steps `[T]`, values `[T]`).
      title: above the figure.
      ylabel: what the values are.
      bounds: label -> value, drawn as dashed horizontal lines.
      xlabel: what the steps are.
      log_x: logarithmic steps; ignored where they are not positive or span less than a decade.
      log_y: logarithmic values; likewise.

    Returns:
      A figure with one axes.

    Raises:
      ValueError: steps and values of a series differ in number.
    """
    figure = style.figure(6.4, 3.8, title)
    axes = figure.add_subplot()
    _draw(axes, series, _styles(series))
    _scale(axes, series, log_x, log_y)
    _draw_bounds(axes, bounds or {})
    axes.set_xlabel(xlabel, fontsize=style.MEDIUM)
    axes.set_ylabel(ylabel, fontsize=style.MEDIUM)
    _legend(figure, [axes], columns=4)
    return figure


def panels(
    charts: Mapping[str, Series],
    title: str = "",
    ylabel: str = "",
    xlabel: str = "step",
    share_y: bool = False,
    log_y: bool = False,
    bold: Mapping[str, str] | None = None,
) -> Figure:
    """Draws charts side by side; a label has the same colour in all of them and one legend.

    Args:
      charts: title -> series, one chart each.
      title: above the figure.
      ylabel: what the values are.
      xlabel: what the steps are.
      share_y: the same range of values in all charts.
      log_y: logarithmic values, in the charts whose values are positive and span a decade.
      bold: title -> label of the line to draw strongly and the others faintly, for some charts.

    Returns:
      A figure with one axes for each chart.

    Raises:
      ValueError: steps and values of a series differ in number.
    """
    styles = _styles(label for series in charts.values() for label in series)
    columns = _columns(len(charts))
    rows = math.ceil(len(charts) / columns)
    figure = style.figure(max(2.4 * columns, 4.8), 1.9 * rows + 0.9, title)
    drawn = []
    for index, (name, series) in enumerate(charts.items()):
        shared = drawn[0] if share_y and drawn else None
        axes = figure.add_subplot(rows, columns, index + 1, sharey=shared)
        _draw(axes, series, styles, (bold or {}).get(name))
        _scale(axes, series, False, log_y)
        axes.set_title(name, fontsize=style.MEDIUM)
        axes.set_xlabel(xlabel if index >= len(charts) - columns else "", fontsize=style.SMALL)
        if share_y and index % columns:
            axes.tick_params(labelleft=False)
        drawn.append(axes)
    figure.supylabel(ylabel, fontsize=style.MEDIUM)
    _legend(figure, drawn, columns=2 * columns)
    return figure


def _columns(count: int) -> int:
    """Chooses the number of columns that leaves the fewest places empty, at most 5."""
    if count <= 3:
        return max(count, 1)
    return min((4, 3, 5, 2), key=lambda columns: -count % columns)


def _styles(labels: Iterable[str]) -> dict[str, dict]:
    """Gives every label its line; the label "" belongs to nobody and is grey."""
    named = [label for label in dict.fromkeys(labels) if label]
    return {"": {"color": style.GREY}} | {label: style.line(i) for i, label in enumerate(named)}


def _draw(axes: Axes, series: Series, styles, bold: str | None = None) -> None:
    for label, (steps, values) in series.items():
        values = np.asarray(values, float)  # None becomes nan.
        emphasis = {"linewidth": 1.4 if len(series) <= len(style.COLORS) else 1.0}
        if bold is not None:
            emphasis = {"linewidth": 2.2, "zorder": 3} if label == bold else {"linewidth": 0.8}
        # A single point, or one between gaps, has no line to be seen by.
        marker = {"marker": "o", "markersize": 3} if len(values) < 30 else {}
        axes.plot(steps, values, label=label or "_", **styles[label], **emphasis, **marker)
        style.count(axes.yaxis, values)
    style.tidy(axes)


def _scale(axes: Axes, series: Series, log_x: bool, log_y: bool) -> None:
    def suits(arrays):
        values = np.concatenate([np.ravel(np.asarray(array, float)) for array in arrays])
        values = values[~np.isnan(values)]
        return values.size and values.min() > 0 and values.max() >= 10 * values.min()

    if log_x and suits([steps for steps, _ in series.values()]):
        axes.set_xscale("log")
    if log_y and suits([values for _, values in series.values()]):
        axes.set_yscale("log")


def _draw_bounds(axes: Axes, bounds: Mapping[str, float]) -> None:
    axes.margins(y=0.12)  # Room for the names above the highest bound and below the others.
    for label, value in bounds.items():
        highest = value == max(bounds.values())
        axes.axhline(value, color=style.GREY, linestyle="--", linewidth=1.2)
        axes.annotate(
            f"{label} {value:.4g}",
            xy=(0.995, value),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3 if highest else -3),
            textcoords="offset points",
            ha="right",
            va="bottom" if highest else "top",
            fontsize=style.SMALL,
            color=style.GREY,
        )


def _legend(figure: Figure, charts: Sequence[Axes], columns: int) -> None:
    """Names the lines below the charts, where there are no more than can be told apart."""
    entries = {}
    for axes in charts:
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, line)
    if not 0 < len(entries) <= style.LINES:
        return
    # A handle with its margins takes as much room as 8 letters, a letter half its height.
    letters = max(map(len, entries)) + 8
    fitting = int(figure.get_figwidth() / (0.55 * style.SMALL / 72 * letters))
    columns = max(min(columns, len(entries), fitting), 1)
    # More rows than two have a height of their own, and take none from the charts.
    rows = math.ceil(len(entries) / columns) - 2
    figure.set_figheight(figure.get_figheight() + max(rows, 0) * 1.5 * style.SMALL / 72)
    legend = figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=columns,
        fontsize=style.SMALL,
        frameon=False,
    )
    for line in legend.get_lines():
        line.set_linewidth(2)
