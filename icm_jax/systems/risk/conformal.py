"""Split conformal prediction: intervals and sets of classes that cover, whatever the network.

Examples that the network was not trained on say how far off it is; what is new is covered with at
least the level's probability, if both come exchangeably from one distribution: a theorem of any
network and any variance, good or bad (Vovk et al. 2005; Lei et al. 2018). It holds on average over
examples, not for each kind of them.
"""

import math
from typing import NamedTuple

import numpy as np

from icm_jax.evaluation import checks


class Conformal(NamedTuple):
    """What calibration found.

    Attributes:
      quantile: scores up to here are inside. Infinite, so that all is inside, where there are
        too few examples to promise the level: it needs level / (1 - level) of them, 9 for 0.9.
      level: share of new examples that are covered, at least.
    """

    quantile: float
    level: float


def calibrate(
    prediction: np.ndarray, variance: np.ndarray, target: np.ndarray, level: float
) -> Conformal:
    """Calibrates intervals by the scores |target - prediction| / sigma of examples kept aside.

    Sigma says where intervals are wide and where narrow; a factor that all sigma have in common
    cancels.

    Args:
      prediction: `[N]`, in the target's units.
      variance: sigma^2, `[N]`, above 0.
      target: `[N]`.
      level: share to cover, between 0 and 1.
    """
    prediction, variance, target = checks.vectors(
        prediction=prediction, variance=variance, target=target
    )
    checks.require_positive("variance", variance)
    return _calibrate(np.abs(target - prediction) / np.sqrt(variance), level)


def interval(
    conformal: Conformal, prediction: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals prediction -+ quantile * sigma, lower and upper, float64 `[N]`.

    Args:
      conformal: from `calibrate`.
      prediction: of new examples, `[N]`.
      variance: `[N]`, above 0.
    """
    prediction, variance = checks.vectors(prediction=prediction, variance=variance)
    checks.require_positive("variance", variance)
    reach = conformal.quantile * np.sqrt(variance)
    return prediction - reach, prediction + reach


def calibrate_classes(probabilities: np.ndarray, labels: np.ndarray, level: float) -> Conformal:
    """Calibrates sets of classes by the scores 1 - p(label) of examples kept aside.

    Args:
      probabilities: `[N, L]`, rows that add up to 1.
      labels: int `[N]` in [0, L).
      level: share to cover, between 0 and 1.
    """
    probabilities, labels = checks.classified(probabilities, labels)
    return _calibrate(1 - probabilities[np.arange(len(labels)), labels], level)


def classes_in_set(conformal: Conformal, probabilities: np.ndarray) -> np.ndarray:
    """Says which classes belong to the set of each example, bool `[N, L]`.

    A set may be empty: no class is as probable as those of the examples kept aside are.

    Args:
      conformal: from `calibrate_classes`.
      probabilities: of new examples, `[N, L]`, rows that add up to 1.
    """
    return 1 - checks.distributions(probabilities) <= conformal.quantile


def _calibrate(scores: np.ndarray, level: float) -> Conformal:
    """The score `[N]` of rank ceil((N + 1) level), infinite where that is more than N.

    A score that is nan counts as infinite.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r} is not allowed; it must be above 0 and below 1")
    # Rounded, since a product such as 100 * 0.07 may lie a little above the integer that it is.
    rank = max(math.ceil(round((len(scores) + 1) * level, 9)), 1)
    ordered = np.sort(np.append(np.where(np.isnan(scores), np.inf, scores), np.inf))
    return Conformal(float(ordered[rank - 1]), float(level))
