"""How good predictions and their uncertainties are: errors, proper scores and calibration.

Host arrays in, numbers out, in float64. Targets are one number an example: a network of several
outputs is measured output by output. Variances are in the target's units squared. What is nan
makes what is measured nan; what has a wrong shape or range is a ValueError that names it.
"""

import numpy as np
from scipy import special

from icm_jax.evaluation import checks

_LOG_TAU = np.log(2 * np.pi)


def rmse(prediction: np.ndarray, target: np.ndarray) -> float:
    """Root mean squared error, in the target's units.

    Args:
      prediction: `[N]`.
      target: `[N]`.
    """
    prediction, target = checks.vectors(prediction=prediction, target=target)
    return float(np.sqrt(np.square(prediction - target).mean()))


def gaussian_nll(prediction: np.ndarray, variance: np.ndarray, target: np.ndarray) -> float:
    """Mean negative log density of the targets, in nats an example.

    1/2 (log 2 pi + log variance + (target - prediction)^2 / variance). Of a target that was
    divided by s for training it is that of the target itself less log s.

    Args:
      prediction: means, `[N]`.
      variance: `[N]`, above 0.
      target: `[N]`.
    """
    prediction, variance, target = _gaussians(prediction, variance, target)
    return float(-_log_density(prediction, variance, target).mean())


def mixture_nll(means: np.ndarray, variances: np.ndarray, target: np.ndarray) -> float:
    """Mean negative log density of the targets under equal mixtures of Gaussians, in nats.

    That of the members or passes themselves, -log mean_m N(target; mean_m, variance_m), by
    log-mean-exp (Gal & Ghahramani 2016). Deep ensembles report `gaussian_nll` of the one Gaussian
    with the mixture's mean and variance instead (Lakshminarayanan et al. 2017).

    Args:
      means: of M components, `[M, N]`.
      variances: `[M, N]`, above 0.
      target: `[N]`.
    """
    means = checks.as_float64("means", means, "MN")
    variances = checks.as_float64("variances", variances, "MN")
    target = checks.as_float64("target", target, "N")
    checks.require_shape("variances", variances, means.shape, "means")
    checks.require_shape("target", target, means.shape[1:], "means")
    checks.require_positive("variances", variances)
    density = special.logsumexp(_log_density(means, variances, target), axis=0)
    return float(np.log(len(means)) - density.mean())


def gaussian_crps(prediction: np.ndarray, variance: np.ndarray, target: np.ndarray) -> float:
    """Mean continuous ranked probability score of Gaussians, in the target's units; 0 is best.

    The integral over y of (F(y) - [y >= target])^2, F the Gaussian's distribution function, is
    sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)) with z = (target - prediction) / sigma
    (Gneiting & Raftery 2007, section 4.2, whose score has the other sign). As sigma goes to 0 it
    becomes the absolute error.

    Args:
      prediction: means, `[N]`.
      variance: `[N]`, above 0.
      target: `[N]`.
    """
    prediction, variance, target = _gaussians(prediction, variance, target)
    sigma = np.sqrt(variance)
    z = (target - prediction) / sigma
    density = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi)
    scores = sigma * (z * (2 * special.ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return float(scores.mean())


def calibration_curve(
    prediction: np.ndarray, variance: np.ndarray, target: np.ndarray, levels: np.ndarray
) -> np.ndarray:
    """Share of targets inside the central Gaussian interval of each level, float64 `[K]`.

    Calibrated Gaussians give the levels back; less than its level is overconfident (after Kuleshov
    et al. 2018, who count one-sided intervals).

    Args:
      prediction: means, `[N]`.
      variance: `[N]`, above 0.
      target: `[N]`.
      levels: shares that should be inside, `[K]` in [0, 1].
    """
    prediction, variance, target = _gaussians(prediction, variance, target)
    levels = checks.as_float64("levels", levels, "K")
    if not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError(f"levels: {levels.tolist()} is not allowed; all must be in [0, 1]")
    score = np.sort(np.abs(target - prediction) / np.sqrt(variance))
    if np.isnan(score).any():
        return np.full(len(levels), np.nan)
    return np.searchsorted(score, special.ndtri((1 + levels) / 2), side="right") / len(score)


def interval_coverage(lower: np.ndarray, upper: np.ndarray, target: np.ndarray) -> float:
    """Share of targets inside their intervals, ends included.

    Args:
      lower: `[N]`, minus infinity allowed.
      upper: `[N]`, not below `lower`, infinity allowed.
      target: `[N]`.
    """
    lower, upper, target = checks.vectors(lower=lower, upper=upper, target=target)
    _require_order(lower, upper)
    if np.isnan([lower, upper, target]).any():
        return float("nan")
    return float(((lower <= target) & (target <= upper)).mean())


def interval_width(lower: np.ndarray, upper: np.ndarray) -> float:
    """Mean width of intervals, in the target's units.

    Args:
      lower: `[N]`, minus infinity allowed.
      upper: `[N]`, not below `lower`, infinity allowed.
    """
    lower, upper = checks.vectors(lower=lower, upper=upper)
    _require_order(lower, upper)
    return float((upper - lower).mean())


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """Mean distance of confidence from accuracy over bins of confidence (Guo et al. 2017, eq. 3).

    The confidence of an example is its largest probability. Bins are of equal width and closed
    above, and weigh as many examples as they have.

    Args:
      probabilities: `[N, L]`, rows that add up to 1.
      labels: int `[N]` in [0, L).
      bins: number of bins, at least 1.
    """
    probabilities, labels = checks.classified(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins: {bins!r} is not allowed; it must be 1 or more")
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    which = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    gaps = np.bincount(which, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance of probabilities from the label's one-hot vector (Brier 1950).

    The sum over all classes, 0 to 2: with two classes it is twice the square of one probability's
    error, the form that others report.

    Args:
      probabilities: `[N, L]`, rows that add up to 1.
      labels: int `[N]` in [0, L).
    """
    probabilities, labels = checks.classified(probabilities, labels)
    truth = np.eye(probabilities.shape[1])[labels]
    return float(np.square(probabilities - truth).sum(axis=1).mean())


def _gaussians(
    prediction: np.ndarray, variance: np.ndarray, target: np.ndarray
) -> list[np.ndarray]:
    taken = checks.vectors(prediction=prediction, variance=variance, target=target)
    checks.require_positive("variance", taken[1])
    return taken


def _log_density(mean: np.ndarray, variance: np.ndarray, target: np.ndarray) -> np.ndarray:
    return -(_LOG_TAU + np.log(variance) + np.square(target - mean) / variance) / 2


def _require_order(lower: np.ndarray, upper: np.ndarray) -> None:
    wrong = np.flatnonzero(upper < lower)
    if wrong.size:
        raise ValueError(
            f"upper: {upper[wrong[0]]} of example {wrong[0]} is not allowed; its lower end is "
            f"{lower[wrong[0]]}"
        )
