"""How all figures look. Figures are made without pyplot, whose list of figures is global."""

import contextlib
import textwrap
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito (2008), told apart by the colour-blind; without its yellow, faint on white.
COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8C6D46",
)
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
LINES = len(COLORS) * len(DASHES)  # that can be told apart
FRAME = COLORS[1]
GREY = "0.35"
SMALL, MEDIUM, LARGE = 8, 9, 11
DPI = 150


@contextlib.contextmanager
def shipped() -> Iterator[None]:
    """Within it Matplotlib draws and saves by its own defaults, whatever a user's style says.

    A style may need what is not there, LaTeX or a font, and figures are to be the same everywhere.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def figure(width: float, height: float, title: str = "") -> Figure:
    """Makes an empty figure of the given inches; a long title wraps and adds to the height."""
    wrapped = textwrap.wrap(title, width=max(int(width / (0.68 * LARGE / 72)), 1))
    height += max(len(wrapped) - 1, 0) * 1.3 * LARGE / 72
    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    if wrapped:
        made.suptitle("\n".join(wrapped), fontsize=LARGE, fontweight="bold")
    return made


def line(index: int) -> dict[str, Any]:
    """Gives line number `index` (0, 1, ...) its colour, and its dashes once colours run out."""
    cycle, color = divmod(index, len(COLORS))
    return {"color": COLORS[color], "linestyle": DASHES[cycle % len(DASHES)]}


def tidy(axes: Axes) -> None:
    """Leaves of a chart's box the two axes and a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=SMALL)


def count(axis: Axis, values: np.ndarray) -> None:
    """Leaves the halves out of an axis where all values are whole: they are counts."""
    if len(values) and np.array_equal(values, np.round(values)):
        axis.set_major_locator(MaxNLocator("auto", integer=True))
