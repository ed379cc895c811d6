"""The figures of a study: variants side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icm_jax.report import style
from icm_jax.study import tables

_COLUMNS = 4


def comparison(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draws a dot for every run and a line at the mean of its variant, for all numbers.

    Args:
      rows: variant -> its runs, each with numbers by name; None leaves a gap, and what is yes or
        no is not drawn.

    Returns:
      A figure with one axes for each number.
    """
    names = [name for name in tables.columns(_all(rows)) if _is_number(name, _all(rows))]
    columns = min(_COLUMNS, len(names))
    down = -(-len(names) // max(columns, 1))
    height = down * (0.34 * len(rows) + 0.8) + 0.5
    figure = style.figure(9.6, height, "At the end of training (dots: seeds; bars: means)")
    for index, name in enumerate(names):
        axes = figure.add_subplot(down, columns, index + 1)
        _draw(axes, name, rows)
        labels = rows if index % columns == 0 else [""] * len(rows)
        axes.set_yticks(np.arange(len(rows)), labels, fontsize=style.MEDIUM)
    return figure


def _draw(axes: Axes, name: str, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    found = [[run[name] for run in runs if run.get(name) is not None] for runs in rows.values()]
    for place, values in enumerate(found):
        if not values:
            continue
        spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else 0
        axes.plot(values, place + spread, "o", color=style.COLORS[0], markersize=4, alpha=0.7)
        mean = np.mean(values)
        axes.plot([mean] * 2, [place - 0.32, place + 0.32], color=style.FRAME, lw=2)
    style.count(axes.xaxis, np.concatenate([[], *found]))
    style.tidy(axes)
    axes.set_title(name, fontsize=style.MEDIUM)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _all(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    return [run for runs in rows.values() for run in runs]


def _is_number(name: str, runs: Sequence[Mapping[str, Any]]) -> bool:
    values = [run[name] for run in runs if run.get(name) is not None]
    return bool(values) and not any(isinstance(value, bool) for value in values)
