"""Clusters of points, and how much they say about something known of each point."""

import warnings
from typing import NamedTuple

import chex
import numpy as np
from scipy.cluster.vq import kmeans2

_ROUNDS = 30  # of Lloyd's algorithm, all of which it goes through


class Agreement(NamedTuple):
    """How clusters and classes agree, each number in [0, 1] (Rosenberg and Hirschberg 2007).

    Attributes:
      homogeneity: 1 where a cluster has points of one class alone.
      completeness: 1 where a class has all its points in one cluster.
      v_measure: their harmonic mean.
    """

    homogeneity: float
    completeness: float
    v_measure: float


def k_means(
    points: np.ndarray, clusters: int, rng: np.random.RandomState, starts: int = 20
) -> np.ndarray:
    """Clusters by k-means from several k-means++ starts, of which that with least error counts.

    Args:
      points: float `[N, F]`.
      clusters: K; fewer where there are fewer different points.
      rng: of the starts.
      starts: how many. Where a cluster is a tenth of the points, most starts end elsewhere.

    Returns:
      The cluster of each point, int32 `[N]`, the largest cluster being 0.
    """
    chex.assert_rank(points, 2)
    if not len(points):
        return np.zeros(0, np.int32)
    points = np.asarray(points, np.float64)
    found = [_cluster(points, clusters, rng) for _ in range(starts)]
    nearest, _ = min(found, key=lambda each: each[1])  # the first of several
    order = np.argsort(-np.bincount(nearest, minlength=clusters), kind="stable")
    rank = np.empty(clusters, np.int32)
    rank[order] = np.arange(clusters)
    return rank[nearest]


def agreement(cluster: np.ndarray, known: np.ndarray) -> Agreement:
    """How clusters, int `[N]`, agree with known classes, int `[N]`, both from 0 on.

    Of one class alone every cluster is homogeneous, and one cluster alone is complete.
    """
    chex.assert_equal_shape([cluster, known])
    table = np.zeros((cluster.max() + 1, known.max() + 1))
    np.add.at(table, (cluster, known), 1)
    joint = table / table.sum()
    both, of_cluster, of_known = (_entropy(p) for p in (joint, joint.sum(1), joint.sum(0)))
    # H(known | cluster) = H(both) - H(cluster), and the other way round.
    homogeneity = 1 - (both - of_cluster) / of_known if of_known > 0 else 1.0
    completeness = 1 - (both - of_known) / of_cluster if of_cluster > 0 else 1.0
    total = homogeneity + completeness
    v_measure = 2 * homogeneity * completeness / total if total > 0 else 0.0
    return Agreement(float(homogeneity), float(completeness), float(v_measure))


def _cluster(
    points: np.ndarray, clusters: int, rng: np.random.RandomState
) -> tuple[np.ndarray, float]:
    """The clusters of one start, int `[N]`, and the sum of squared distances to their centres."""
    # Of fewer different points than clusters some stay empty, which is no reason to warn.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        centres, nearest = kmeans2(
            points, clusters, iter=_ROUNDS, minit="++", missing="warn", seed=rng
        )
    return nearest, float(np.square(points - centres[nearest]).sum())


def _entropy(probabilities: np.ndarray) -> float:
    p = probabilities[probabilities > 0]
    return float(-(p * np.log(p)).sum())
