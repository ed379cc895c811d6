"""The figures of a study: variants side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import style

SHOWN = ("identified", "experts in use", "accuracy restored", "PSNR")


def comparison(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draws a dot for every run and a line at the mean of its variant, for some numbers.

    Args:
      rows: variant -> its runs, each with the numbers of `SHOWN`; None leaves a gap.

    Returns:
      A figure with one axes for each number.
    """
    height = 0.34 * len(rows) + 1.3
    figure = style.figure(9.6, height, "At the end of training (dots: seeds; bars: means)")
    places = np.arange(len(rows))
    for index, name in enumerate(SHOWN):
        axes = figure.add_subplot(1, len(SHOWN), index + 1)
        found = [[run[name] for run in runs if run.get(name) is not None] for runs in rows.values()]
        for place, values in zip(places, found, strict=True):
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
        axes.set_yticks(places, rows if index == 0 else [""] * len(rows), fontsize=style.MEDIUM)
    return figure
