import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import mechanisms

KEY = jax.random.key(0)


def apply(spec, image):
    return np.asarray(mechanisms.build(spec)(KEY, jnp.asarray(image, jnp.float32)))[..., 0]


def dot(row, column, side=8):
    image = np.zeros((side, side, 1), np.float32)
    image[row, column] = 1
    return image


def test_a_quarter_turn_and_a_shear_move_known_pixels():
    # One right of the upper left corner; counter-clockwise it comes to the left side, lower end.
    turned = apply({"name": "rotate", "degrees": 90.0}, dot(0, 1))
    np.testing.assert_allclose(turned, dot(6, 0)[..., 0], atol=1e-5)
    # Row 0 is 3.5 above the middle of 8: by 2/7 it moves one pixel left, row 7 one right.
    by = {"name": "shear", "by": 2 / 7}
    np.testing.assert_allclose(apply(by, dot(0, 4)), dot(0, 3)[..., 0], atol=1e-5)
    np.testing.assert_allclose(apply(by, dot(7, 4)), dot(7, 5)[..., 0], atol=1e-5)


def test_zoom_brings_pixels_nearer_to_the_middle():
    # Pixels 1 and 6 lie 2.5 from the middle of 8; at 5 thirds of the places 1.5 from it.
    zoomed = apply({"name": "zoom", "factor": 0.6}, dot(1, 1) + dot(6, 6))
    assert zoomed[2, 2] == pytest.approx(1, abs=1e-5) and zoomed[5, 5] == pytest.approx(1, abs=1e-5)
    assert zoomed[0].max() == 0


def test_pixels_of_corruptions_in_place():
    image = np.full((8, 8, 1), 0.2, np.float32)
    np.testing.assert_allclose(apply("haze", image), 0.6)
    striped = apply({"name": "stripe", "width": 0.25}, image)
    np.testing.assert_allclose(striped[:, 3:5], 0.8)
    np.testing.assert_allclose(np.delete(striped, [3, 4], axis=1), 0.2)
    squares = apply({"name": "pixelate", "side": 2}, dot(3, 5))
    expected = np.zeros((8, 8))
    expected[2:4, 4:6] = 0.25
    np.testing.assert_allclose(squares, expected)
    covered = apply({"name": "occlusion", "side": 0.25}, image)
    rows, columns = np.nonzero(covered == 0)
    assert len(rows) == 4 and np.ptp(rows) == np.ptp(columns) == 1
    assert rows.min() >= 2 and rows.max() <= 5 and columns.min() >= 2 and columns.max() <= 5


def test_salt_and_pepper_come_as_often():
    image = np.full((100, 100, 1), 0.5, np.float32)
    made = apply("salt_and_pepper", image)
    for value in (0, 1):
        assert (made == value).mean() == pytest.approx(0.1, abs=0.01)
    assert (made == 0.5).mean() == pytest.approx(0.8, abs=0.015)


def test_there_are_ten_for_digits_and_faces():
    assert len(mechanisms.CORRUPTIONS) == 10
    for shape in ((28, 28, 1), (64, 64, 3)):
        mechanisms.check(mechanisms.CORRUPTIONS, shape)


def test_squares_that_do_not_fit():
    with pytest.raises(ValueError, match="side: 3 does not divide the images' 8x8 pixels"):
        apply({"name": "pixelate", "side": 3}, dot(0, 0))
