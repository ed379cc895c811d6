import numpy as np
from PIL import Image

from icm_jax.systems.counterfactual.biased.resizing import (
    nearest_of_pillow,
    nearest_of_torch,
    resize,
)


def test_pillow_takes_the_pixel_below_the_middle():
    # Middles .5, 1.5, ... times 7/8: .4375, 1.3125, 2.1875, 3.0625, 3.9375, 4.8125, ...
    assert nearest_of_pillow(28, 32)[:6].tolist() == [0, 1, 2, 3, 3, 4]
    row = np.arange(28, dtype=np.uint8)[None]
    theirs = np.asarray(Image.fromarray(row).resize((32, 1), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(nearest_of_pillow(28, 32), theirs[0])


def test_torch_takes_the_pixel_below_the_corner():
    # Corners 0, 1, 2, ... times 7/8: 0, .875, 1.75, 2.625, 3.5, 4.375, ...
    assert nearest_of_torch(28, 32)[:6].tolist() == [0, 0, 1, 2, 3, 4]
    assert nearest_of_torch(28, 32)[-3:].tolist() == [25, 26, 27]


def test_an_image_of_the_size_stays():
    for nearest in (nearest_of_pillow, nearest_of_torch):
        np.testing.assert_array_equal(nearest(32, 32), np.arange(32))


def test_each_axis_has_its_own_factor():
    images = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    expected = [[0, 0, 1, 2], [0, 0, 1, 2], [3, 3, 4, 5], [3, 3, 4, 5]]
    np.testing.assert_array_equal(resize(images, 4, nearest_of_torch)[0], expected)
    expected = [[0, 1, 1, 2], [0, 1, 1, 2], [3, 4, 4, 5], [3, 4, 4, 5]]
    np.testing.assert_array_equal(resize(images, 4, nearest_of_pillow)[0], expected)
