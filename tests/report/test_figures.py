import matplotlib
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from icm_jax.report import figures, style


def cell(canvas, row, column, size, gap):
    """The image that stands at a row and column of a grid."""
    top, left = gap + row * (size + gap), gap + column * (size + gap)
    return canvas[top : top + size, left : left + size]


def frames(axes):
    """The corner and width of each frame."""
    return [(*p.get_xy(), p.get_width()) for p in axes.patches if isinstance(p, Rectangle)]


@pytest.mark.parametrize("channels", [1, 3])
def test_image_grid_puts_each_image_at_its_place(channels):
    images = np.random.RandomState(0).rand(2, 3, 4, 4, channels)
    (axes,) = figures.image_grid(images, ["r0", "r1"], ["a", "b", "c"]).axes
    canvas = np.asarray(axes.images[0].get_array())
    gap = 2  # max(2, a tenth of 4)
    assert canvas.shape == (2 * 4 + 3 * gap, 3 * 4 + 4 * gap, 3)
    for row, column in np.ndindex(2, 3):
        expected = np.broadcast_to(images[row, column], (4, 4, 3))
        np.testing.assert_allclose(cell(canvas, row, column, 4, gap), expected, atol=1e-6)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["r0", "r1"]
    # The middle of pixels 2 to 5 is 3.5; the next image is 4 + 2 further.
    np.testing.assert_allclose(axes.get_xticks(), [3.5, 9.5, 15.5])
    np.testing.assert_allclose(axes.get_yticks(), [3.5, 9.5])


def test_image_grid_clips_and_frames(caplog):
    images = np.array([-1.0, 2.0]).reshape(1, 2, 1, 1, 1)
    framed = np.array([[False, True]])
    (axes,) = figures.image_grid(images, ["r"], ["a", "b"], framed=framed).axes
    # Gaps of 2: pixel 2 is the first image, pixel 5 the second.
    np.testing.assert_array_equal(axes.images[0].get_array()[2, [2, 5], 0], [0, 1])
    assert not caplog.records  # Matplotlib would clip too, and warn.
    # From the middle of the gap before pixel 5, edges lying half a pixel off: 5 - 0.5 - 1.
    assert frames(axes) == [(3.5, 0.5, 3)]


@pytest.mark.parametrize(
    "images, rows, columns",
    [
        (np.zeros((1, 2, 4, 4)), ["r"], ["a", "b"]),
        (np.zeros((1, 2, 4, 4, 2)), ["r"], ["a", "b"]),
        (np.zeros((1, 2, 4, 4, 1)), ["r"], ["a"]),
    ],
)
def test_image_grid_refuses_other_shapes(images, rows, columns):
    with pytest.raises(AssertionError):
        figures.image_grid(images, rows, columns)


def test_matrix_prints_its_numbers_and_frames():
    values = np.array([[0.004, 0.756], [np.nan, 1.0]])
    framed = np.array([[False, True], [False, False]])
    (axes,) = figures.matrix(values, ["r0", "r1"], ["a", "b"], framed=framed).axes
    printed = {t.get_position(): t.get_text() for t in axes.texts}
    # (column, row); 0.004 rounds to 0, nan is left empty.
    assert printed == {(0, 0): "0", (1, 0): "0.76", (1, 1): "1.00"}
    np.testing.assert_array_equal(np.ma.filled(axes.images[0].get_array(), np.nan), values)
    assert axes.images[0].get_clim() == (0, 1)
    # A little inside the cell, which reaches from 0.5 to 1.5 and from -0.5 to 0.5.
    np.testing.assert_allclose(frames(axes), [(0.54, -0.46, 0.92)])


def test_a_long_title_wraps_and_a_figure_never_crops_it():
    figure = style.figure(3, 2, "A title that is much longer than three inches have room for")
    title = figure.get_suptitle()
    assert "\n" in title and figure.get_figheight() > 2
    figure.canvas.draw()
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1


def test_a_users_style_and_latex_change_nothing(tmp_path):
    def drawn():
        with style.shipped():
            figure = style.figure(2, 1, "title")
            figure.subplots().plot([0, 1])
            figure.savefig(tmp_path / "a.png")
        return (tmp_path / "a.png").read_bytes()

    expected = drawn()
    users = {
        "text.usetex": True,  # raises where there is no LaTeX
        "font.size": 30,
        "axes.facecolor": "black",
        "lines.linewidth": 9,
        "savefig.dpi": 30,
        "savefig.bbox": "tight",
        "savefig.transparent": True,
    }
    with matplotlib.rc_context(users):
        assert drawn() == expected
        assert matplotlib.rcParams["font.size"] == 30  # the user's own again


def test_lines_are_told_apart_by_colour_and_then_by_dashes():
    styles = [(s["color"], s["linestyle"]) for s in map(style.line, range(16))]
    assert len(set(styles)) == 16
    assert len({color for color, _ in styles[:8]}) == 8
