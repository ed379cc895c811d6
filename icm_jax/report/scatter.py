"""Points in two dimensions, coloured by group."""

from collections.abc import Sequence

import chex
import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import style

_MARKERS = ("o", "^", "s")


def scatter(points: np.ndarray, group: np.ndarray, names: Sequence[str], title: str = "") -> Figure:
    """Draws points.

    Args:
      points: float `[N, 2]`.
      group: int `[N]`, 0 to the number of names - 1.
      names: of the groups; each has its colour and, once colours run out, its marker.
      title: above the figure.

    Returns:
      A figure with one axes.

    Raises:
      AssertionError: a shape is another one.
    """
    chex.assert_shape(points, (len(group), 2))
    figure = style.figure(6.0, 4.6, title)
    axes = figure.add_subplot()
    for index, name in enumerate(names):
        cycle, color = divmod(index, len(style.COLORS))
        axes.scatter(
            *points[group == index].T,
            s=8,
            color=style.COLORS[color],
            marker=_MARKERS[cycle % len(_MARKERS)],
            label=name,
            linewidths=0,
        )
    style.tidy(axes)
    figure.legend(loc="outside right upper", fontsize=style.SMALL, frameon=False)
    return figure
