import matplotlib.colors
import numpy as np
import pytest

from icm_jax.report import scatter, style


def test_every_group_has_its_points_and_its_colour():
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    figure = scatter.scatter(points, np.array([1, 0, 1]), ["first", "second", "none"], "Points")
    drawn = {c.get_label(): c for c in figure.axes[0].collections}
    np.testing.assert_array_equal(drawn["first"].get_offsets(), points[[1]])
    np.testing.assert_array_equal(drawn["second"].get_offsets(), points[[0, 2]])
    assert len(drawn["none"].get_offsets()) == 0
    color = matplotlib.colors.to_hex(drawn["second"].get_facecolor()[0])
    assert color.lower() == style.COLORS[1].lower()
    assert figure.get_suptitle() == "Points"
    figure.canvas.draw()


def test_groups_beyond_the_colours_have_another_marker():
    names = [str(i) for i in range(len(style.COLORS) + 1)]
    figure = scatter.scatter(np.zeros((1, 2)), np.array([0]), names)
    first, *_, last = figure.axes[0].collections
    assert (first.get_paths()[0].vertices.shape) != last.get_paths()[0].vertices.shape


def test_shapes_are_checked():
    with pytest.raises(AssertionError):
        scatter.scatter(np.zeros((3, 2)), np.array([0, 1]), ["a", "b"])
