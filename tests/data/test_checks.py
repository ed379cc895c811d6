import numpy as np
import pytest

from icm_jax.data import Dataset, Splits
from icm_jax.data.checks import check_classes, check_grey, check_splits


def splits(train, test, channels=1):
    return Splits(
        *(
            Dataset(np.zeros((len(labels), 2, 2, channels), np.uint8), np.array(labels, np.int32))
            for labels in (train, test)
        )
    )


def test_classes_are_counted_to_the_largest_label():
    assert check_classes(splits([0, 3, 1], [1])) == 4


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([], [0], "there is no train image"),
        ([-1, 0], [0], "the label -1 is negative"),
        ([2, 2], [2], "all train images have the label 2"),
        ([0, 1], [0, 5], r"the label 5 is in the test split alone; .* \(0, 1\)$"),
        (range(12), [12], r"\(0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more\)$"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(train, test, message):
    with pytest.raises(ValueError, match=f"^data.name: .*{message}"):
        check_classes(splits(train, test))


def test_colors_are_refused_where_grey_is_needed():
    check_grey(splits([0, 1], [1]))
    with pytest.raises(ValueError, match=r"^data.name: images of \[2, 2, 3\] are not grey"):
        check_grey(splits([0, 1], [1], channels=3))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": np.zeros((2, 4, 4, 1))}, r"images: float64 \[2, 4, 4, 1\] is not allowed; it "),
        (
            {"images": np.zeros((2, 4, 4), np.uint8)},
            r"images: uint8 \[2, 4, 4\] is .* \[N, H, W, C]",
        ),
        ({"images": [[0]]}, "images: list is not allowed; it must be uint8"),
        ({"labels": np.zeros(2)}, r"labels: float64 \[2\] is not allowed; it must be integers"),
        ({"labels": np.zeros((2, 1), int)}, r"labels: int64 \[2, 1\] is not allowed"),
        ({"labels": np.array([0, -1])}, "labels: -1 is not allowed; classes are counted from 0"),
        ({"labels": np.array([0, 2**31])}, "labels: 2147483648 is not allowed; classes are coun"),
        ({"labels": np.zeros(3, int)}, " 3 labels for 2 images are not allowed; there must be one"),
        ({"attributes": {"sex": np.zeros(1)}}, " 1 sex for 2 images are not allowed"),
        (
            {"images": np.zeros((2, 4, 2, 1), np.uint8)},
            r"images: images of \[4, 2, 1\] .* \[2, 2, 1",
        ),
    ],
)
def test_arrays_of_ones_own_are_refused_where_they_are_no_data_set(fields, message):
    good = splits([0, 1], [0, 1])
    check_splits(good)
    with pytest.raises(ValueError, match=f"^data.test[.:]{message}"):
        check_splits(good._replace(test=good.test._replace(**fields)))
