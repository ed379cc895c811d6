import numpy as np

from icm_jax.systems.stable_features.clusters import agreement, k_means


def blobs(sizes, seed=0):
    """Points around corners far from each other, and the corner of each."""
    rng = np.random.RandomState(seed)
    corner = np.repeat(np.arange(len(sizes)), sizes)
    centres = 10 * np.eye(len(sizes), 5)
    return centres[corner] + 0.1 * rng.normal(size=(len(corner), 5)), corner


def test_k_means_finds_what_is_apart_and_names_the_largest_first():
    points, corner = blobs([5, 20, 10])
    cluster = k_means(points, 3, np.random.RandomState(0))
    np.testing.assert_array_equal(cluster, np.array([2, 0, 1])[corner])
    assert cluster.dtype == np.int32


def test_k_means_finds_a_tenth_of_the_points_from_any_seed():
    # Two starts in five part the other nine tenths along their widest direction.
    points = np.random.RandomState(0).normal(size=(500, 20))
    points[:, 0] *= 2
    points[:50, 1] += 6
    for seed in range(10):
        cluster = k_means(points, 2, np.random.RandomState(seed))
        assert cluster[:50].mean() > 0.95 and cluster[50:].mean() < 0.05


def test_k_means_repeats_itself():
    points = np.random.RandomState(1).normal(size=(50, 3))
    first, second = (k_means(points, 4, np.random.RandomState(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_k_means_of_fewer_different_points_than_clusters_leaves_some_empty():
    # No warning comes out either: tests take one for an error.
    points = np.repeat([[0.0, 0.0], [3.0, 4.0]], [2, 3], axis=0)
    cluster = k_means(points, 4, np.random.RandomState(0))
    assert cluster.tolist() == [1, 1, 0, 0, 0]
    assert k_means(np.ones((3, 2)), 2, np.random.RandomState(0)).tolist() == [0, 0, 0]


def test_k_means_of_fewer_points_than_clusters():
    assert k_means(np.ones((1, 2)), 3, np.random.RandomState(0)).tolist() == [0]
    assert k_means(np.zeros((0, 2)), 3, np.random.RandomState(0)).shape == (0,)


def test_agreement_by_hand():
    # Two clusters of two, one of them mixed; classes of 3 and 1.
    cluster, known = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    made = agreement(cluster, known)
    # H(known | cluster) = 0.5 ln 2; H(known) = -(0.75 ln 0.75 + 0.25 ln 0.25).
    of_known = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    homogeneity = 1 - 0.5 * np.log(2) / of_known
    # H(cluster | known) = 0.75 H(2/3); H(cluster) = ln 2.
    third = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    completeness = 1 - 0.75 * third / np.log(2)
    harmonic = 2 * homogeneity * completeness / (homogeneity + completeness)
    np.testing.assert_allclose(made, [homogeneity, completeness, harmonic])


def test_agreement_is_1_of_the_same_and_0_of_what_is_independent():
    np.testing.assert_allclose(agreement(np.array([0, 0, 1]), np.array([1, 1, 0])), 1.0)
    found = agreement(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(found, 0.0, atol=1e-12)
