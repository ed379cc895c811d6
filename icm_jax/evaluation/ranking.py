"""How well a score orders examples: by their group, their error or another score.

Host arrays in, numbers out, in float64. Only the order of scores counts. Equal scores have no
order: what is measured is the mean over all orders of them, so that the data's order is of no
influence. What is nan makes what is measured nan.
"""

import numpy as np
from scipy import stats

from icm_jax.evaluation import checks


def auroc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative.

    Mann and Whitney's U by average ranks (Hanley & McNeil 1982): equal scores count 1/2. 0.5 is no
    better than chance.

    Args:
      positives: scores of the examples that should score high, `[P]`.
      negatives: scores of the others, `[Q]`.
    """
    positives = checks.as_float64("positives", positives, "P")
    negatives = checks.as_float64("negatives", negatives, "Q")
    count = len(positives)
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    wins = ranks[:count].sum() - count * (count + 1) / 2
    return float(wins / (count * len(negatives)))


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation: that of Pearson between average ranks; nan where one is constant.

    Args:
      first: `[N]`.
      second: `[N]`.
    """
    first, second = checks.vectors(first=first, second=second)
    ranks = np.stack([stats.rankdata(first), stats.rankdata(second)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    squares = np.square(ranks).sum(axis=1)
    # Ranks are halves of integers: these sums are 0 exactly where all are equal.
    if np.isnan(squares).any() or not squares.all():
        return float("nan")
    return float((ranks[0] @ ranks[1]) / np.sqrt(squares.prod()))


def sparsification(error: np.ndarray, uncertainty: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Mean error of what is left without the most uncertain examples, float64 `[F]`.

    It falls where uncertainty knows the errors (Ilg et al. 2018).

    Args:
      error: of each example, absolute or squared, `[N]`, none below 0.
      uncertainty: variance, deviation or any score that grows with it, `[N]`.
      fractions: shares to leave out, `[F]` in [0, 1); of f, floor(f N) examples are.

    Returns:
      In the error's units.
    """
    error, uncertainty = _errors(error, uncertainty)
    fractions = checks.as_float64("fractions", fractions, "F")
    if not ((fractions >= 0) & (fractions < 1)).all():
        raise ValueError(f"fractions: {fractions.tolist()} is not allowed; all must be in [0, 1)")
    # A product such as 0.29 * 100 may lie a little below the integer that it is.
    removed = np.floor(fractions * len(error) + 1e-9).astype(int)
    kept = np.maximum(len(error) - removed, 1)
    return _mean_of_most_certain(error, uncertainty)[kept - 1]


def ause(error: np.ndarray, uncertainty: np.ndarray) -> float:
    """Area between the sparsification curve and that of the errors' own order, the oracle's.

    Both as shares of the mean error of all, over the fractions 0/N to (N-1)/N (Ilg et al. 2018).
    0 is a perfect order, `ause_of_random` one that knows nothing. 0 where no example has an error.

    Args:
      error: of each example, absolute or squared, `[N]`, none below 0: squared ones give other
        areas than absolute ones.
      uncertainty: variance, deviation or any score that grows with it, `[N]`.
    """
    error, uncertainty = _errors(error, uncertainty)
    if not error.any():
        return 0.0
    gap = _mean_of_most_certain(error, uncertainty) - _mean_of_most_certain(error, error)
    return float(gap.mean() / error.mean())


def ause_of_random(error: np.ndarray) -> float:
    """Mean of `ause` over all orders: its curve stays at the mean error of all.

    Args:
      error: of each example, absolute or squared, `[N]`, none below 0.
    """
    error = checks.as_float64("error", error, "N")
    return ause(error, np.zeros_like(error))


def mean(values: np.ndarray) -> float | None:
    """The mean of values `[N]`; None of nothing."""
    return float(np.mean(values)) if len(values) else None


def binned(values: np.ndarray, by: np.ndarray, bins: int = 10) -> np.ndarray:
    """Means of values in bins of equal count along a score, lowest first, float64 `[bins]`.

    Accuracy by decile of density, say, as `plot_accuracy_vs_risk` of MIT's lab. Where N is no
    multiple of the number of bins, the first ones have one example more.

    Args:
      values: float or bool `[N]`.
      by: score to sort by, `[N]`.
      bins: number of bins, 1 to N.
    """
    values, by = checks.vectors(values=values, by=by)
    if not 1 <= bins <= len(values):
        raise ValueError(
            f"bins: {bins!r} is not allowed; it must be from 1 to the {len(values)} examples"
        )
    return np.array([part.mean() for part in np.array_split(_sort(values, by), bins)])


def effective_sample_size(weights: np.ndarray) -> float:
    """Number of equally weighted examples that vary as much: (sum w)^2 / sum w^2 (Kish 1965).

    N for equal weights, 1 where one example has all the weight; the scale of weights is of no
    influence.

    Args:
      weights: `[N]`, none below 0 and not all 0.
    """
    weights = checks.as_float64("weights", weights, "N")
    checks.require_not_negative("weights", weights)
    if not weights.any():
        raise ValueError("weights: all are 0; one at least must be above 0")
    weights = weights / weights.max()  # squares of very small ones would be 0
    return float(weights.sum() ** 2 / np.square(weights).sum())


def _errors(error: np.ndarray, uncertainty: np.ndarray) -> list[np.ndarray]:
    taken = checks.vectors(error=error, uncertainty=uncertainty)
    checks.require_not_negative("error", taken[0])
    return taken


def _mean_of_most_certain(error: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """Mean error of the 1, 2, ... N most certain examples, `[N]`."""
    return np.cumsum(_sort(error, uncertainty)) / np.arange(1, len(error) + 1)


def _sort(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Values `[N]` by ascending score; each of equal score is the mean of those."""
    if np.isnan(by).any():
        return np.full(len(values), np.nan)
    _, place, counts = np.unique(by, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=values) / counts
    return np.repeat(means, counts)
