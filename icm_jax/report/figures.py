"""Grids of images and matrices of numbers."""

from collections.abc import Sequence

import chex
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from icm_jax.report import style


def image_grid(
    images: np.ndarray,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
    framed: np.ndarray | None = None,
) -> Figure:
    """Draws images in rows and columns.

    Args:
      images: float `[R, K, H, W, C]` in `[0, 1]` (clipped to it), C being 1 or 3.
      row_labels: R names.
      column_labels: K names.
      title: above the figure.
      framed: bool `[R, K]`, the images to put a frame around; none by default.

    Returns:
      A figure with one axes, which holds all images as one.

    Raises:
      AssertionError: a shape or a number of labels is another one.
    """
    images = np.asarray(images)
    chex.assert_rank(images, 5)
    rows, columns, height, width, channels = images.shape
    assert channels in (1, 3), f"images: expected 1 or 3 channels, got {channels}"
    _check_labels(row_labels, column_labels, images.shape[:2])
    framed = np.zeros((rows, columns), bool) if framed is None else np.asarray(framed)
    chex.assert_shape(framed, (rows, columns))

    gap = max(2, round(0.1 * max(height, width)))
    # Grey between the images, so that black and white ones both end somewhere.
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 0.87)
    for row, column in np.ndindex(rows, columns):
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        canvas[top : top + height, left : left + width] = images[row, column].clip(0, 1)

    cell = np.clip(7 / columns, 0.55, 1.0)
    size = (columns * cell + 1.2, rows * cell * height / width + 1.2)
    figure = style.figure(*size, title)
    axes = figure.add_subplot()
    axes.imshow(canvas, interpolation="nearest")
    for row, column in np.argwhere(framed):
        corner = (column * (width + gap) + gap / 2 - 0.5, row * (height + gap) + gap / 2 - 0.5)
        axes.add_patch(
            Rectangle(corner, width + gap, height + gap, fill=False, ec=style.FRAME, lw=2.2)
        )
    x = gap + (width - 1) / 2 + np.arange(columns) * (width + gap)
    y = gap + (height - 1) / 2 + np.arange(rows) * (height + gap)
    _label(axes, x, y, row_labels, column_labels, cell)
    return figure


def matrix(
    values: np.ndarray,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
    row_title: str = "",
    column_title: str = "",
    framed: np.ndarray | None = None,
) -> Figure:
    """Draws a matrix as a heat map with its numbers.

    Args:
      values: float `[R, K]` in `[0, 1]`, white to dark blue; nan is left empty.
      row_labels: R names.
      column_labels: K names.
      title: above the figure.
      row_title: what the rows are.
      column_title: what the columns are.
      framed: bool `[R, K]`, the cells to put a frame around; none by default.

    Returns:
      A figure with one axes.

    Raises:
      AssertionError: a shape or a number of labels is another one.
    """
    values = np.asarray(values, float)
    chex.assert_rank(values, 2)
    _check_labels(row_labels, column_labels, values.shape)
    framed = np.zeros(values.shape, bool) if framed is None else np.asarray(framed)
    chex.assert_shape(framed, values.shape)

    rows, columns = values.shape
    cell = 0.5
    figure = style.figure(max(columns * cell + 2, 3.6), rows * cell + 1.4, title)
    axes = figure.add_subplot()
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        zero = round(value, 2) == 0
        color = "0.65" if zero else "white" if value > 0.55 else "black"
        text = "0" if zero else f"{value:.2f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=style.SMALL, color=color)
    for row, column in np.argwhere(framed):
        corner = (column - 0.46, row - 0.46)
        axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, ec=style.FRAME, lw=2))
    _label(axes, np.arange(columns), np.arange(rows), row_labels, column_labels, cell)
    axes.set_xlabel(column_title, fontsize=style.MEDIUM)
    axes.xaxis.set_label_position("top")
    axes.set_ylabel(row_title, fontsize=style.MEDIUM)
    return figure


def _check_labels(row_labels, column_labels, shape):
    got = (len(row_labels), len(column_labels))
    assert got == tuple(shape), f"expected labels for {tuple(shape)} rows and columns, got {got}"


def _label(axes, x, y, row_labels, column_labels, cell):
    """Puts row labels on the left and column labels on top, aslant where a cell is too narrow."""
    character = 0.6 * style.MEDIUM / 72
    aslant = max(map(len, column_labels), default=0) * character > cell
    turn = {"rotation": 40, "ha": "left", "rotation_mode": "anchor"} if aslant else {}
    axes.xaxis.tick_top()
    axes.set_xticks(x, column_labels, fontsize=style.MEDIUM, **turn)
    axes.set_yticks(y, row_labels, fontsize=style.MEDIUM)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
