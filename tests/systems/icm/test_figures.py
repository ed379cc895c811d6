import chex
import numpy as np
import pytest

from icm_jax.report import lines, series
from icm_jax.systems.icm import figures

RECORDS = [
    {"phase": "initialization", "step": 10, "error": [0.5, 0.25]},
    {"phase": "competition", "step": 10, "loss": 2.0, "wins": [1.0, None]},
    {"phase": "competition", "step": 10, "evaluation": {"accuracy": 0.5}},
    {"phase": "competition", "step": 20, "loss": 1.0, "wins": [0.5, 0.5]},
    {"phase": "competition", "step": 20, "evaluation": {"accuracy": 0.75}},
]


def drawn(axes):
    """label -> (x, y) of the lines of an axes."""
    return {line.get_label(): line.get_data() for line in axes.get_lines()}


def test_experts_are_ordered_as_their_mechanisms():
    order = figures.order_experts(np.array([2, -1, 0]), experts=4)
    chex.assert_trees_all_equal(order, np.array([2, 0, 1, 3]))


def test_records_become_charts():
    charts = series.charts(RECORDS, entry="expert")
    assert list(charts) == ["initialization: error", "competition: loss", "competition: wins"]
    assert charts["competition: loss"] == {"": ([10, 20], [2.0, 1.0])}
    assert charts["initialization: error"]["expert 1"] == ([10], [0.25])
    assert series.evaluated(RECORDS, "accuracy") == ([10, 20], [0.5, 0.75])


def test_what_a_judge_says_is_drawn_between_its_bounds():
    bounds = {"original": 0.99, "transformed": 0.4}
    figure = figures.draw_judged([10, 20], [0.5, 0.75], bounds, "Accuracy")
    (axes,) = figure.axes
    ys = [np.asarray(y, float) for _, y in drawn(axes).values()]
    assert any(len(y) == 2 and np.allclose(y, [0.5, 0.75]) for y in ys)
    for bound in (0.99, 0.4):
        assert any(np.allclose(y, bound) for y in ys)


def test_each_evaluation_is_a_point_of_the_trade_off():
    kept, deceived = [0.9, 0.7], [0.1, 0.4]
    figure = figures.draw_trade_off([10, 20], kept, deceived, {"transformed": 0.05})
    axes, bar = figure.axes
    (points,) = axes.collections
    np.testing.assert_allclose(points.get_offsets(), np.stack([kept, deceived], axis=1))
    assert points.get_array().tolist() == [10, 20] and bar.get_ylabel() == "step"
    assert "SSIM" in axes.get_xlabel()


def test_scores_have_a_panel_for_each_mechanism_and_a_line_for_each_expert():
    scores = np.arange(2 * 3 * 4).reshape(2, 3, 4) / 24
    figure = figures.draw_scores([10, 20], scores, ["a", "b", "c"])
    panels = [axes for axes in figure.axes if axes.get_lines()]
    assert len(panels) == 3
    for m, axes in enumerate(panels):
        lines_of = [np.asarray(y, float) for _, y in drawn(axes).values()]
        for e in range(4):
            assert any(np.allclose(y, scores[:, m, e]) for y in lines_of if len(y) == 2)
        assert "expert 3" in axes.get_title()  # the best at the end
        assert (
            max(axes.get_lines(), key=lambda line: line.get_linewidth()).get_label() == "expert 3"
        )


def test_the_matrix_shows_its_numbers_and_marks_what_is_identified():
    wins = np.array([[0.02, 0.98], [0.75, 0.25]])
    figure = figures.draw_wins(wins, ["up", "noise"], np.array([1, 0]), np.array([True, False]))
    texts = [t.get_text() for t in figure.axes[0].texts]
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert "up ✓" in texts + labels and "noise" in texts + labels
    assert any("98" in t for t in texts) and any("75" in t for t in texts)
    assert "1 of 2" in str([t.get_text() for t in figure.texts] + [figure.get_suptitle()])


def test_the_grid_holds_inputs_and_outputs_and_refuses_other_shapes():
    inputs = np.random.RandomState(0).rand(2, 6, 6, 1)
    outputs = np.random.RandomState(1).rand(3, 2, 6, 6, 1)
    figure = figures.draw_grid(inputs, outputs, np.array([2, 0]), ["a", "b"])
    pixels = [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]
    values = np.concatenate([p.ravel() for p in pixels])
    for image in (inputs[1], outputs[2, 0]):
        assert np.isin(np.round(image.ravel(), 6), np.round(values.astype(float), 6)).mean() > 0.99
    with pytest.raises(AssertionError):
        figures.draw_grid(inputs, outputs[:, :1], np.array([2, 0]), ["a", "b"])


def test_the_grid_frames_the_winners_in_the_order_given():
    inputs, outputs = np.ones((2, 10, 10, 1)), np.zeros((3, 2, 10, 10, 1))
    outputs[:] = np.array([0.0, 0.25, 0.5]).reshape(3, 1, 1, 1, 1)  # expert 0, 1, 2
    figure = figures.draw_grid(
        inputs, outputs, np.array([2, 0]), ["a", "b"], originals=inputs, order=np.array([2, 0, 1])
    )
    (axes,) = figure.axes
    rows = [t.get_text() for t in axes.get_yticklabels()]
    assert rows == ["original", "input", "expert 2", "expert 0", "expert 1"]
    # Rows are 10 + 2 pixels apart, the middle of the first at 2 + 5.
    column = np.asarray(axes.images[0].get_array())[7::12, 7, 0]
    np.testing.assert_allclose(column, [1, 1, 0.5, 0, 0.25])
    # Frames are 10 + 2 pixels apart, the first at 0.5: (row, column) of each.
    framed = [(round((p.get_y() - 0.5) / 12), round((p.get_x() - 0.5) / 12)) for p in axes.patches]
    assert framed == [(2, 0), (3, 1)]


def test_the_matrix_is_diagonal_in_the_order_of_the_matching():
    wins = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    figure = figures.draw_wins(wins, ["a", "b"], np.array([2, 0]), np.array([True, True]))
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), [[1, 0, 0], [0, 1, 0]])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["2", "0", "1"]


def test_curves_draw_what_they_are_given():
    figure = lines.curves({"loss": ([1, 2], [3.0, 4.0])}, "Loss")
    (axes,) = figure.axes
    assert any(np.allclose(y, [3.0, 4.0]) for _, y in drawn(axes).values())
