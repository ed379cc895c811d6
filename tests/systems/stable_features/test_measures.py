import numpy as np
import optax
import pytest

from icm_jax.systems.stable_features.measures import (
    cross_entropy,
    measure,
    measure_part,
    worst_group,
)


def test_cross_entropy_is_that_of_training():
    logits = np.random.RandomState(0).normal(size=(5, 3)).astype(np.float32) * 10
    labels = np.array([0, 1, 2, 1, 0])
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    np.testing.assert_allclose(cross_entropy(logits, labels), expected, atol=1e-5)


# Label 0 in groups 0 (3 of 3 right), 1 (0 of 1), 2 (1 of 1); label 1 in groups 3 (1 of 4), 4 (0 of
# 1).
#   1: group 1 alone;
#   2: groups 1 and 2 have 1 of 2, group 4 alone is all that is left, 0 of 1;
#   3: groups 1, 2 and 4, of which no label has enough, 1 of 3, and group 3 1 of 4;
#   4: groups 0 to 2 have 4 of 5, group 3 1 of 4, group 4 0 of 1;
#   5: groups 0 to 2 as before, groups 3 and 4 1 of 5;
#   6: no label has enough: 5 of 10.
@pytest.mark.parametrize(
    ("least", "expected"), [(1, 0.0), (2, 0.0), (3, 0.25), (4, 0.0), (5, 0.2), (6, 0.5)]
)
def test_small_groups_are_judged_together(least, expected):
    group = np.array([0, 0, 0, 1, 2, 3, 3, 3, 3, 4])
    label = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    correct = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0], bool)
    assert worst_group(correct, group, label, 5, least) == expected


def test_the_smallest_groups_of_two_labels_are_one():
    # Groups of 4 count; 1 and 3 hold one example each, of different labels: 1 of 2 right.
    group = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 3])
    label = np.repeat([0, 1], 5)
    correct = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 1], bool)
    assert worst_group(correct, group, label, 4, 1) == 0.0
    assert worst_group(correct, group, label, 4, 3) == 0.5


def test_measures_of_a_part():
    # Label 1 in channel 0 is wrong; everything else right.
    logits = np.eye(2)[[0, 0, 1, 0]] * 4
    true, channel = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])
    found = measure(logits, true, channel, 3)
    assert found["accuracy"] == 0.75
    np.testing.assert_array_equal(found["per_channel"]["accuracy"], [0.5, 1.0, np.nan])
    worst = found["worst_cell"]
    assert (worst["label"], worst["channel"], worst["accuracy"]) == (1, 0, 0.0)
    np.testing.assert_allclose(worst["loss"], np.log(1 + np.exp(4)), rtol=1e-6)
    np.testing.assert_array_equal(found["cells"], [[1, 1, np.nan], [0, 1, np.nan]])


def test_given_labels_count_where_they_are_known():
    logits = np.eye(2)[[0, 1, 1]]
    unknown = np.array([-1, -1, -1])
    channel = np.zeros(3, int)
    assert set(measure_part(logits, np.array([0, 1, 0]), unknown, channel, 2)) == {"true"}
    found = measure_part(logits, np.array([0, 1, 0]), np.array([1, -1, 1]), channel, 2)
    assert found["given"]["accuracy"] == 0.5 and found["true"]["accuracy"] == 2 / 3
