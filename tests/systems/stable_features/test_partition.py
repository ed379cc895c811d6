"""Cross-prediction and clusters on cases small enough to follow."""

import numpy as np
import pytest

from icm_jax.data import Dataset
from icm_jax.systems.stable_features.channels import Task
from icm_jax.systems.stable_features.partition import by_cluster, by_outcome, outcomes

# Six images: two of each source environment, two of the target; two labels.
GIVEN = np.array([0, 1, 0, 1, 0, 1])
ENVIRONMENT = np.array([0, 0, 1, 1, 2, 2])
# By the classifier of environment 0 and of environment 1.
PREDICTED = np.array([[0, 1, 1, 1, -1, -1], [1, 1, 0, 1, -1, -1]])


def task(source=(0, 1)):
    images = np.zeros((6, 1, 1, 1), np.uint8)
    empty = Dataset(images[:0], GIVEN[:0])
    return Task(Dataset(images, GIVEN), source, (2,), empty, empty, 2, 2)


def data(held_out=()):
    return {
        "given": GIVEN,
        "environment": ENVIRONMENT,
        "held_out": np.isin(np.arange(6), held_out),
    }


def members(groups):
    return [
        sorted(groups.index[start : start + count].tolist())
        for start, count in zip(groups.start, groups.count, strict=True)
    ]


def test_every_environment_is_judged_by_the_other():
    # Environment 0 by classifier 1: image 0 mistaken (1 for 0), image 1 right;
    # environment 1 by classifier 0: image 2 mistaken, image 3 right. The target has no outcome.
    made = outcomes(PREDICTED, data(), task())
    assert made.tolist() == [[1, 0, 3, 2, -1, -1]]


def test_groups_by_outcome_and_label():
    groups = by_outcome(PREDICTED, data(), task())
    # Right and mistaken of environment 0, then of environment 1.
    assert members(groups["outcomes"]) == [[1], [0], [3], [2]]
    # Environment 0: label 0 right, mistaken, label 1 right, mistaken; then environment 1.
    assert members(groups["pairs"]) == [[], [0], [1], [], [], [2], [3], []]


def test_held_out_images_are_in_no_group():
    groups = by_outcome(PREDICTED, data(held_out=[0, 3]), task())
    assert members(groups["outcomes"]) == [[1], [], [], [2]]


def test_three_environments_have_two_views_of_every_image():
    predicted = np.stack([PREDICTED[0], PREDICTED[1], GIVEN])
    made = outcomes(predicted, data(), task(source=(0, 1, 2)))
    # Image 0 by classifiers 1 (mistaken) and 2 (right): 2 * (0 * 2 + 0) + 1 and 2 * (0 * 2 + 1).
    assert made[:, 0].tolist() == [1, 2]
    # Image 4, of environment 2, by classifiers 0 and 1, which say -1.
    assert made[:, 4].tolist() == [9, 11]
    groups = by_outcome(predicted, data(), task(source=(0, 1, 2)))
    assert members(groups["outcomes"])[:4] == [[1], [0], [0, 1], []]


@pytest.mark.parametrize("held_out", [(), (4,)])
def test_every_label_has_clusters_of_its_own(held_out):
    index = np.array([0, 2, 4, 1, 3])
    # Label 0: images 0 and 4 together, 2 apart; label 1: 1 and 3 apart.
    features = np.array([[0, 0], [9, 9], [0, 1], [0, 0], [5, 5]], np.float32)
    made = by_cluster(features, index, data(held_out), task(), 2, np.uint32([1, 2]))
    cluster = made["cluster"]
    assert cluster[[0, 2, 4, 5]].tolist() == [0, 1, 0, -1]
    assert sorted(cluster[[1, 3]].tolist()) == [2, 3]
    expected = [[i for i in (0, 4) if i not in held_out], [2]]
    assert members(made["clusters"])[:2] == expected
