import numpy as np
import pytest
from systems.counterfactual.biased.digits import blank, splits, with_pixel

from icm_jax.data import Splits
from icm_jax.systems.counterfactual.biased import digits
from icm_jax.systems.counterfactual.biased.resizing import nearest_of_pillow, nearest_of_torch


def ink(grey, above, nearest, row=3, column=0):
    """Rows and columns of the ink of an image with one grey pixel."""
    packed = digits.pack_ink(with_pixel(blank(1), row, column, grey), above, nearest)
    assert packed.shape == (1, 32, 4) and packed.dtype == np.uint8
    mask = digits.unpack_ink(packed)
    assert mask.shape == (1, 32, 32, 1) and mask.dtype == np.float32
    rows, columns = np.nonzero(np.asarray(mask)[0, ..., 0])
    return sorted(set(rows.tolist())), sorted(set(columns.tolist()))


def test_ink_is_what_is_brighter_and_grows_with_the_image():
    # Pillow takes row 3 for rows 3 and 4; torch row 3 for row 4 alone, and row 0 for 0 and 1.
    assert ink(129, 128, nearest_of_pillow) == ([3, 4], [0])
    assert ink(128, 128, nearest_of_pillow) == ([], [])
    assert ink(26, digits.TENTH, nearest_of_torch) == ([4], [0, 1])
    assert ink(25, digits.TENTH, nearest_of_torch) == ([], [])
    assert ink(255, 128, nearest_of_pillow, 27, 27) == ([31], [31])


def test_a_tenth_is_between_25_and_26():
    # As published: grey / 255 > .1
    grey = np.arange(256)
    np.testing.assert_array_equal(grey > digits.TENTH, (grey / 255).astype(np.float32) > 0.1)


def test_five_sixths_of_the_train_split_are_trained_on():
    divided = digits.divide_train(splits(train=60, test=7))
    assert [len(split.labels) for split in divided] == [50, 10]
    np.testing.assert_array_equal(divided.train.labels, np.arange(50) % 10)
    np.testing.assert_array_equal(divided.test.labels, np.arange(10))


def test_of_images_sorted_by_class_every_sixth_is_tested_on():
    labels = np.repeat([0, 1, 2], 6).astype(np.int32)
    train = blank(18)._replace(labels=labels)
    divided = digits.divide_train(Splits(train, train))
    np.testing.assert_array_equal(divided.train.labels, np.repeat([0, 1, 2], 5))
    np.testing.assert_array_equal(divided.test.labels, [0, 1, 2])


def test_images_that_cannot_be_colored_are_refused():
    whole = splits()
    assert digits.count_classes(whole) == 10
    assert digits.count_classes(splits(classes=3)) == 3
    with pytest.raises(ValueError, match="^data.name: 11 classes are not allowed; there are col"):
        digits.count_classes(splits(classes=11))
    with pytest.raises(ValueError, match="^data.name: there is no test image"):
        digits.count_classes(Splits(whole.train, blank(0)))
    colored = (s._replace(images=np.repeat(s.images, 3, -1)) for s in whole)
    with pytest.raises(ValueError, match=r"images of \[28, 28, 3\] are not grey"):
        digits.count_classes(Splits(*colored))
    with pytest.raises(ValueError, match="the label 9 is in the test split alone"):
        digits.count_classes(Splits(blank(9), blank(10)))


def test_train_and_test_have_generators_of_their_own():
    drawn = [digits.draw_classes(1000, 10, rng).tolist() for rng in digits.generators(7)]
    again = [digits.draw_classes(1000, 10, rng).tolist() for rng in digits.generators(7)]
    other = [digits.draw_classes(1000, 10, rng).tolist() for rng in digits.generators(8)]
    assert drawn == again
    assert len({tuple(numbers) for numbers in drawn + other}) == 4
    assert np.bincount(drawn[0]).min() > 70 and len(np.bincount(drawn[0])) == 10
