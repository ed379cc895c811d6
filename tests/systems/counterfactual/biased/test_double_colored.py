import jax
import numpy as np
from systems.counterfactual.biased.digits import blank, settings, with_pixel

from icm_jax.data import Splits
from icm_jax.systems.counterfactual import biased

# The pixel 0, 0 is ink, another is just too dark for it.
WHOLE = Splits(with_pixel(with_pixel(blank(600), 0, 0, 26), 9, 9, 25), blank(5))


def test_digit_and_background_have_the_colors_of_the_class():
    made = biased.make(settings(set="double_colored", deviation=0.0), WHOLE, 0)
    images = np.asarray(made.render(made.train.parts, {}, jax.random.key(0)))
    assert images.shape == (500, 32, 32, 3) and images.dtype == np.float32
    # Digits 0 are yellow on dark green, 100 / 255 * 2 - 1 = -.215686. Torch takes the pixel 0, 0
    # for 2 x 2 pixels.
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.testing.assert_allclose(images[0, row, column], [1, 1, -1], atol=1e-6)
    assert (images[0] == images[0, 0, 0]).all(-1).sum() == 4
    np.testing.assert_allclose(images[0, 5, 5], [-1, -0.215686, -1], atol=1e-6)
    # Digits 9 are orange red, (255, 69, 0), on cornflower blue, (100, 149, 237).
    np.testing.assert_allclose(images[9, 0, 0], [1, -0.458824, -1], atol=1e-6)
    np.testing.assert_allclose(images[9, 5, 5], [-0.215686, 0.168627, 0.858824], atol=1e-6)


def test_each_image_has_colors_of_its_own():
    made = biased.make(settings(set="double_colored"), WHOLE, 0)
    for split in (made.train, made.test):
        images = np.asarray(made.render(split.parts, {}, jax.random.key(0)))
        for name, place in (("foreground", 0), ("background", 5)):
            color = split.attributes[f"{name}_color"]
            np.testing.assert_allclose(images[:, place, place], 2 * color - 1, atol=1e-6)
    # Deviation .01 in [0, 1], unclamped, drawn for digit and background apart.
    color = made.train.attributes["background_color"]
    np.testing.assert_allclose((color[::10] - [0, 100 / 255, 0]).std(), 0.01, atol=0.002)
    assert color.min() < 0
    off = color[::10, 0], made.train.attributes["foreground_color"][::10, 2]
    assert abs(np.corrcoef(*off)[0, 1]) < 0.4


def test_the_test_images_are_the_last_sixth_of_the_train_split():
    made = biased.make(settings(set="double_colored"), WHOLE, 0)
    assert (len(made.train.labels), len(made.test.labels)) == (500, 100)
    np.testing.assert_array_equal(made.train.attributes["background"], made.train.labels)
