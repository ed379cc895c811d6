import numpy as np
import pytest

from icm_jax import data
from icm_jax.data.split import set_apart


def numbered(count, labels=None):
    """Images that say which they are: image i is filled with i."""
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((2, 2, 1), np.uint8)
    labels = np.arange(count) % 3 if labels is None else labels
    return data.Dataset(images, np.asarray(labels, np.int32), {"name": np.arange(count)})


def names(dataset):
    return dataset.attributes["name"].tolist()


def drawn(pool):
    return pool.index[: pool.count].tolist()


def test_halves_are_disjoint_and_exhaustive():
    canonical, transformed = data.halve(numbered(11), seed=0)
    assert (canonical.count, transformed.count) == (5, 6)
    assert sorted(drawn(canonical) + drawn(transformed)) == list(range(11))


def test_halves_depend_on_the_seed_alone():
    first, again, other = (drawn(data.halve(numbered(20), seed)[0]) for seed in (0, 0, 1))
    assert first == again
    assert set(first) != set(other)


def test_halves_of_seed_zero_are_known():
    # numpy.random.RandomState(0).permutation(6) is [5 2 1 3 0 4] on every NumPy.
    canonical, transformed = data.halve(numbered(6), seed=0)
    assert drawn(canonical) == [5, 2, 1]
    assert drawn(transformed) == [3, 0, 4]


def test_labels_restrict_what_is_drawn_and_not_the_shapes():
    # Labels are 0 1 2 0 1 2: of the halves above, image 1 is left, and image 4.
    canonical, transformed = data.halve(numbered(6), seed=0, labels=(1,))
    assert drawn(canonical) == [1] and drawn(transformed) == [4]
    assert canonical.index.tolist() == [1, 5, 2] and transformed.index.tolist() == [4, 3, 0]
    canonical, transformed = data.halve(numbered(6), seed=0, labels=(2, 0))
    assert drawn(canonical) == [5, 2] and drawn(transformed) == [3, 0]


def test_what_is_set_apart_is_mixed():
    # As above, the order is 5 2 1 3 0 4; images 1 and 5 are to test on.
    train, test = set_apart(numbered(6), np.isin(np.arange(6), (1, 5)))
    assert names(train) == [2, 3, 0, 4] and names(test) == [5, 1]
    assert train.labels.tolist() == [2, 0, 0, 1]


def test_one_image_cannot_be_halved():
    with pytest.raises(ValueError, match="1 image.* cannot be halved"):
        data.halve(numbered(1), seed=0)


def test_restrict_keeps_the_classes_asked_for():
    splits = data.Splits(numbered(7), numbered(5))
    train, test = data.restrict(splits, (2, 0))
    assert names(train) == [0, 2, 3, 5, 6]
    assert train.labels.tolist() == [0, 2, 0, 2, 0]
    assert train.images[:, 0, 0, 0].tolist() == names(train)
    assert names(test) == [0, 2, 3]


def test_no_labels_keep_everything():
    splits = data.Splits(numbered(7), numbered(5))
    assert data.restrict(splits, ()) is splits


def test_restrict_to_a_label_that_does_not_exist():
    splits = data.Splits(numbered(7), numbered(5))
    with pytest.raises(ValueError, match=r"data.labels: \(1, 9\) asks for \[9\].*\[0, 1, 2\]"):
        data.restrict(splits, (1, 9))


def test_restrict_that_leaves_nothing_in_a_split():
    splits = data.Splits(numbered(7), numbered(2))
    with pytest.raises(ValueError, match=r"data.labels: \(2,\) .*the test split.*\[0, 1\]"):
        data.restrict(splits, (2,))


def test_images_are_drawn_evenly_over_groups_and_their_classes():
    # Group x has classes 0 (six images) and 1 (two), group y class 2 (four).
    labels = np.array([0] * 6 + [1] * 2 + [2] * 4)
    groups = np.array(["x"] * 8 + ["y"] * 4)
    order = data.evenly(labels, 0, groups)
    assert sorted(order) == list(range(12))
    np.testing.assert_array_equal(data.evenly(labels, 6, groups), order[:6])
    # Of four images two are of each group, those of x of both classes.
    assert sorted(labels[order[:4]]) == [0, 1, 2, 2]
    # Without groups a third is of each class.
    assert sorted(labels[data.evenly(labels, 6)]) == [0, 0, 1, 1, 2, 2]
    # Within a class they are drawn, not the first ones.
    many = data.evenly(np.zeros(100, int), 10)
    assert len(set(many)) == 10 and many.max() > 50


def test_a_negative_number_of_images_is_refused():
    with pytest.raises(ValueError, match="images: -1 is negative"):
        data.evenly(np.zeros(3, int), -1)
