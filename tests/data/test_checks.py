import numpy as np
import pytest

from icm_jax.data import Dataset, Splits
from icm_jax.data.checks import check_classes, check_grey


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
