import numpy as np
import pytest
from matplotlib.colors import same_color

from icm_jax.report import lines, style


def legend(figure):
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def test_panels_share_colours_and_one_legend():
    charts = {
        "one": {"a": ([0, 1], [1, 2]), "b": ([0, 1], [3, 4])},
        "two": {"b": ([0, 1], [5, 6]), "": ([0, 1], [7, 8])},
    }
    figure = lines.panels(charts, "Title", "y")
    one, two = figure.axes
    assert [axes.get_title() for axes in (one, two)] == ["one", "two"]
    assert one.lines[1].get_color() == two.lines[0].get_color() != one.lines[0].get_color()
    # What has no name takes nobody's colour and no place in the legend.
    assert same_color(two.lines[1].get_color(), style.GREY)
    assert legend(figure) == ["a", "b"]


def test_panels_draw_one_line_strongly():
    charts = {"one": {"a": ([0, 1], [1, 2]), "b": ([0, 1], [3, 4])}}
    (axes,) = lines.panels(charts, bold={"one": "b"}).axes
    faint, strong = (line.get_linewidth() for line in axes.lines)
    assert strong > 2 * faint


def test_panels_share_their_range_only_if_asked():
    charts = {"one": {"": ([0, 1], [0, 1])}, "two": {"": ([0, 1], [0, 100])}}
    one, two = lines.panels(charts, share_y=True).axes
    assert one.get_ylim() == two.get_ylim()
    one, two = lines.panels(charts).axes
    assert one.get_ylim() != two.get_ylim()


@pytest.mark.parametrize(
    "charts, rows, columns", [(1, 1, 1), (3, 1, 3), (7, 2, 4), (10, 2, 5), (16, 4, 4)]
)
def test_panels_are_laid_out_with_few_empty_places(charts, rows, columns):
    figure = lines.panels({str(i): {"": ([0], [1])} for i in range(charts)})
    assert len(figure.axes) == charts
    shape = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()
    assert shape == (rows, columns)


def test_a_missing_value_leaves_a_gap():
    (axes,) = lines.curves({"a": ([0, 1, 2], [1.0, None, 3.0])}).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1, np.nan, 3])


def test_bounds_are_dashed_and_named():
    (axes,) = lines.curves({"a": ([0, 1], [0.5, 0.6])}, bounds={"high": 0.9, "low": 0.1}).axes
    dashed = {line.get_ydata()[0]: line.get_linestyle() for line in axes.lines[1:]}
    assert dashed == {0.9: "--", 0.1: "--"}
    above, below = axes.texts
    assert (above.get_text(), above.get_va()) == ("high 0.9", "bottom")
    assert (below.get_text(), below.get_va()) == ("low 0.1", "top")


@pytest.mark.parametrize(
    "values, scale",
    [([1, 10], "log"), ([1, 9], "linear"), ([0, 10], "linear"), ([None, None], "linear")],
)
def test_logarithmic_only_where_it_can_be_read(values, scale):
    (axes,) = lines.curves({"a": ([0, 1], values)}, log_y=True).axes
    assert axes.get_yscale() == scale


def test_steps_without_values_are_refused():
    with pytest.raises(ValueError):
        lines.curves({"a": ([0, 1], [1.0])})


def test_a_legend_never_leaves_the_figure():
    series = {f"a name of thirty-four letters, no {i}": ([0, 1], [0, 1]) for i in range(4)}
    figure = lines.curves(series)
    figure.canvas.draw()
    box, (width, _) = figure.legends[0].get_window_extent(), figure.canvas.get_width_height()
    assert box.x0 >= 0 and box.x1 <= width


def test_the_names_of_many_lines_leave_room_for_the_chart():
    def drawn(count):
        series = {f"seed {i}": ([0, 1], [i, 10]) for i in range(count)}
        figure = lines.panels({"defaults": series}, "Mechanisms identified along training")
        figure.canvas.draw()
        return figure.axes[0].get_window_extent().height, len(figure.legends)

    (few, _), (many, legends) = drawn(4), drawn(20)
    assert many > 0.9 * few and legends == 1
    # Lines whose colour and dashes another has too are not named.
    assert drawn(25)[1] == 0
