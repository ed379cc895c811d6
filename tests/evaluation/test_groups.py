import numpy as np
import pytest

from icm_jax.evaluation.groups import group_mean


def test_group_mean():
    means = group_mean(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 2]), 3)
    # (1 + 3) / 2, nothing, 5 / 1.
    np.testing.assert_array_equal(means, [2, np.nan, 5])


def test_group_mean_of_right_and_wrong_is_an_accuracy():
    correct = np.array([True, False, True, True])
    np.testing.assert_array_equal(group_mean(correct, np.zeros(4, int), 1), [0.75])


def test_group_mean_refuses_a_group_out_of_range():
    with pytest.raises(ValueError, match="group"):
        group_mean(np.ones(2), np.array([0, 2]), 2)
