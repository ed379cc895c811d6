import io

import numpy as np
import pytest

from icm_jax.systems.icm.examinations import figures


def test_dots_are_means_between_the_least_and_the_largest():
    values = np.array([[0.2, np.nan, 1.0], [0.6, np.nan, 1.0]])  # [S, N]
    panels = {"accuracy": {"": values}, "PSNR": {"before": values, "after": 2 * values}}
    figure = figures.draw_dots(panels, ["x", "y", "z"])
    accuracy, decibels = figure.axes
    (line,) = accuracy.lines
    np.testing.assert_allclose(line.get_xydata(), [[0.4, 0], [1.0, 2]])  # y has no number
    np.testing.assert_allclose(accuracy.collections[0].get_segments()[0], [[0.2, 0], [0.6, 0]])
    assert [t.get_text() for t in accuracy.get_yticklabels()] == ["x", "y", "z"]
    assert accuracy.get_ylim() == (2.5, -0.5)  # the first on top
    assert [t.get_text() for t in decibels.get_legend().get_texts()] == ["before", "after"]
    assert accuracy.get_legend() is None
    figure.canvas.draw()
    with pytest.raises(AssertionError):
        figures.draw_dots({"accuracy": {"": values[0]}}, ["x", "y", "z"])


def test_samples_frame_what_the_right_expert_made():
    images = [np.full((2, 4, 4, 1), value) for value in (0.0, 0.5, 1.0)]
    figure = figures.draw_samples(*images, np.array([False, True]), ["a", "b"])
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["original", "input", "restored"]
    (frame,) = axes.patches
    # Cells are 4 + 2 wide: the third row, second column.
    assert frame.get_xy() == (6.5, 12.5)
    # The middle of the first cell in each row.
    canvas = np.asarray(axes.images[0].get_array())
    assert canvas[[4, 10, 16], 4, 0].tolist() == [0, 0.5, 1]


def test_pairs_that_succeed_are_framed_and_never_the_diagonal():
    succeeds = np.array([[True, False], [True, True]])
    accuracy = np.array([[0.9, 0.1], [0.8, 0.7]])
    figure = figures.draw_pairs(accuracy, ["a", "b"], succeeds)
    assert len(figure.axes[0].patches) == 1
    assert "1 of 2 pairs" in figure.get_suptitle().replace("\n", " ")


def test_applications_are_counted_from_zero_and_the_legend_tells_what_is_restored():
    figure = figures.draw_applications({"all pairs": [0.1, 0.5, 0.9]}, {"all pairs": 0.87})
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 0.1], [1, 0.5], [2, 0.9]])
    assert axes.lines[0].get_label() == "all pairs: 87.0%"


def test_many_ways_have_their_names_beside_the_chart():
    ways = {f"a way with a long name, {i}": {"accuracy": [0.1 * i, 0.5]} for i in range(8)}
    figure = figures.draw_ways([{"mechanisms": ["invert", "noise"], "ways": ways}], "Ways")
    figure.savefig(io.BytesIO())  # where a legend leaves no room, matplotlib warns
    (axes,), (legend,) = figure.axes, figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(ways)
    assert legend.get_window_extent().x0 >= axes.get_window_extent().x1
    assert legend.get_window_extent().x1 <= figure.bbox.x1
