"""Which expert took which mechanism: fractions of images won, and what follows from them."""

from collections.abc import Sequence

import chex
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from icm_jax.evaluation import indices


def win_matrix(
    winner: np.ndarray, mechanism: np.ndarray, mechanisms: int, experts: int
) -> np.ndarray:
    """Counts, for each mechanism, the fraction of its images that each expert won.

    Args:
      winner: int `[N]` in `[0, experts)`, the expert that won each image.
      mechanism: int `[N]` in `[0, mechanisms)`, the mechanism that made each image.
      mechanisms: M.
      experts: E.

    Returns:
      float64 `[M, E]` in `[0, 1]`. A row sums to 1, or to 0 where a mechanism has no images:
      nobody won anything of it, and the numbers stay finite.

    Raises:
      AssertionError: the two arrays are not int `[N]` of the same N.
      ValueError: an index is out of range.
    """
    winner, mechanism = np.asarray(winner), np.asarray(mechanism)
    chex.assert_rank([winner, mechanism], 1)
    chex.assert_equal_shape([winner, mechanism])
    chex.assert_type([winner, mechanism], int)
    indices.check("winner", winner, experts)
    indices.check("mechanism", mechanism, mechanisms)
    counts = np.zeros((mechanisms, experts))
    np.add.at(counts, (mechanism, winner), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def identified(wins: np.ndarray, threshold: float = 0.9) -> np.ndarray:
    """Says which mechanisms are identified: each has one expert, and that expert has no other.

    Mechanism m is identified when an expert wins at least `threshold` of its images and is the
    main winner of m and of no other mechanism. An expert that shares the first place among the
    winners of a mechanism counts as a main winner of it, so that the order of the experts does
    not matter.

    Args:
      wins: float `[M, E]` in `[0, 1]`, as `win_matrix` returns it.
      threshold: the fraction that is enough, in `[0, 1]`.

    Returns:
      bool `[M]`.

    Raises:
      AssertionError: `wins` is not a matrix.
    """
    wins = np.asarray(wins)
    chex.assert_rank(wins, 2)
    main = (wins == wins.max(axis=1, keepdims=True)) & (wins > 0)
    alone = main.sum(axis=0) == 1
    return (main & alone & (wins >= threshold)).any(axis=1)


def idle(wins: np.ndarray, threshold: float = 0.01) -> np.ndarray:
    """Says which experts win less than `threshold` of all images, every mechanism counting alike.

    Args:
      wins: float `[M, E]` in `[0, 1]`, as `win_matrix` returns it.
      threshold: a fraction in `[0, 1]`.

    Returns:
      bool `[E]`.

    Raises:
      AssertionError: `wins` is not a matrix.
    """
    chex.assert_rank(wins, 2)
    return np.asarray(wins).mean(axis=0) < threshold


def mechanisms_found(
    scores: np.ndarray, winner: np.ndarray, used: Sequence[int], least: float = 1 / 3
) -> int:
    """Counts the mechanisms that experts have found, knowing none of them.

    Experts that undo the same mechanism divide its images by chance, and count once: what one of
    them wins the other restores nearly as well. Two experts are such a pair where each, on the
    images that the other wins, scores at least `least` of what the other does.

    Args:
      scores: float `[N, E]` in `[0, 1]`, the probability of being canonical that the discriminator
        gives to what each expert makes of each image.
      winner: int `[N]` in `[0, E)`, the expert that won each image.
      used: the K experts that count, each of which won an image: those that are not `idle`.
      least: of the mean score on won images; in `[0, 1]`.

    Returns:
      At most K.

    Raises:
      AssertionError: the arrays are of other shapes.
    """
    chex.assert_rank([scores, winner], [2, 1])
    chex.assert_equal_shape_prefix([scores, winner], 1)
    if len(used) == 0:
        return 0
    mean = np.stack([scores[winner == expert][:, used].mean(axis=0) for expert in used])  # [K, K]
    alike = mean >= least * np.diag(mean)[:, None]
    return int(connected_components(alike & alike.T, directed=False)[0])


def first_kept(steps: Sequence[int], found: Sequence[Sequence[bool]]) -> list[int | None]:
    """Says from which step on each mechanism stays identified.

    Args:
      steps: `[T]`, of the evaluations, in order; of one step the last counts.
      found: bool `[T, M]`, whether each mechanism was identified.

    Returns:
      For each mechanism the first step from which it was identified in every evaluation; None
      where it was not in the last.
    """
    at = dict(zip(steps, np.asarray(found, bool), strict=True))
    kept: list[int | None] = [None] * len(next(iter(at.values()), ()))
    for mechanism in range(len(kept)):
        for step in sorted(at, reverse=True):
            if not at[step][mechanism]:
                break
            kept[mechanism] = step
    return kept


def match(wins: np.ndarray) -> np.ndarray:
    """Matches mechanisms with experts one to one so that the sum of the fractions won is largest.

    The Hungarian method; it also gives a mechanism that nobody learned one of the experts left.

    Args:
      wins: float `[M, E]`, as `win_matrix` returns it.

    Returns:
      int64 `[M]`: the expert of each mechanism; -1 for the mechanisms left over where M > E.

    Raises:
      AssertionError: `wins` is not a matrix.
    """
    wins = np.asarray(wins)
    chex.assert_rank(wins, 2)
    rows, columns = linear_sum_assignment(wins, maximize=True)
    matching = np.full(len(wins), -1, dtype=np.int64)
    matching[rows] = columns
    return matching


def own_expert(wins: np.ndarray) -> np.ndarray:
    """The expert that each mechanism is matched with, where it is the main winner there.

    Args:
      wins: float `[M, E]`, as `win_matrix` returns it.

    Returns:
      int64 `[M]`; -1 for the mechanisms whose match wins less of them than another expert.

    Raises:
      AssertionError: `wins` is not a matrix.
    """
    matching = match(wins)
    won = np.take_along_axis(np.asarray(wins), np.maximum(matching, 0)[:, None], axis=1)[:, 0]
    return np.where((matching >= 0) & (won > 0) & (won == np.max(wins, axis=1)), matching, -1)
