"""Clusters of points, and how much they say about something known of each point."""

from typing import NamedTuple

import chex
import numpy as np

_ROUNDS = 100


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
    """Lloyd's algorithm from several k-means++ starts, of which the one with least error counts.

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
    best, least = np.zeros(len(points), int), np.inf
    for _ in range(starts):
        nearest, error = _lloyd(points, _spread(points, clusters, rng))
        if error < least:
            best, least = nearest, error
    order = np.argsort(-np.bincount(best, minlength=clusters), kind="stable")
    rank = np.empty(clusters, np.int32)
    rank[order] = np.arange(clusters)
    return rank[best]


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


def principal_plane(points: np.ndarray) -> np.ndarray:
    """Points `[N, F]` along their two directions of largest variance, float32 `[N, 2]`."""
    centred = points - points.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ directions[:2].T
    # A direction's sign is not determined: the largest entry is made positive.
    sign = np.sign(plane[np.abs(plane).argmax(axis=0), np.arange(plane.shape[1])])
    plane = plane * np.where(sign == 0, 1, sign)
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float32)


def _spread(points: np.ndarray, clusters: int, rng: np.random.RandomState) -> np.ndarray:
    """Centres `[K, F]` far from each other (k-means++, Arthur and Vassilvitskii 2007)."""
    centres = [points[rng.randint(len(points))]]
    for _ in range(clusters - 1):
        nearest = _distances(points, np.stack(centres)).min(axis=1)
        total = nearest.sum()
        chance = nearest / total if total > 0 else None
        centres.append(points[rng.choice(len(points), p=chance)])
    return np.stack(centres)


def _lloyd(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, float]:
    """The nearest of the centres that Lloyd's algorithm ends with, `[N]`, and the error."""
    nearest = np.full(len(points), -1)
    for _ in range(_ROUNDS):
        distances = _distances(points, centres)
        before, nearest = nearest, distances.argmin(axis=1)
        if (nearest == before).all():
            break
        for index in np.unique(nearest):
            centres[index] = points[nearest == index].mean(axis=0)
    return nearest, float(distances.min(axis=1).sum())


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances `[N, K]`."""
    squares = np.square(points).sum(1)[:, None] + np.square(centres).sum(1)[None]
    return np.maximum(squares - 2 * points @ centres.T, 0)


def _entropy(probabilities: np.ndarray) -> float:
    p = probabilities[probabilities > 0]
    return float(-(p * np.log(p)).sum())
