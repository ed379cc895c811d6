"""What answers of a model are worth: on the test rows of a split, and against a known truth."""

from collections.abc import Mapping, Sequence

import numpy as np

from icm_jax.evaluation import metrics, ranking
from icm_jax.systems.risk import conformal
from icm_jax.systems.risk.regression.answers import Answer
from icm_jax.systems.risk.wrappers import Risk
from icm_jax.systems.risk.wrappers.result import half_width

LEVEL = 0.9
LEVELS = np.linspace(0.05, 0.95, 19)
FRACTIONS = np.linspace(0, 0.95, 20)
# A row of the results: measures by name
Found = Mapping[str, float]

# Of the test rows of a split, with their units: the target's, nats, or a share.
MEASURES = {
    "rmse": "RMSE",
    "nll": "NLL",
    "mixture_nll": "NLL of the mixture",
    "crps": "CRPS",
    "coverage": "coverage",
    "width": "width",
    "conformal_coverage": "conformal coverage",
    "conformal_width": "conformal width",
    "ause": "AUSE",
}


def measure_quickly(answer: Answer, target: np.ndarray) -> dict[str, float]:
    """`rmse` and `nll` alone; arguments as in `measure`."""
    prediction, variance = _gaussian(answer.whole)
    return {
        "rmse": metrics.rmse(prediction, target),
        "nll": metrics.gaussian_nll(prediction, variance, target),
    }


def measure(answer: Answer, target: np.ndarray, seed: int) -> dict[str, float]:
    """The measures of a model in a split.

    `nll` is that of the Gaussian with the mixture's mean and variance, as deep ensembles report
    it; `mixture_nll` that of the mixture, as MC dropout does. Intervals are of 90 %. Conformal
    ones are calibrated on one half of the rows and measured on the other, both ways.

    Args:
      answer: of a split.
      target: `[m]`, in its unit.
      seed: of the halves.
    """
    prediction, variance = _gaussian(answer.whole)
    means, variances = _gaussian(answer.parts)
    reach = half_width(LEVEL) * np.sqrt(variance)
    lower, upper = prediction - reach, prediction + reach
    return measure_quickly(answer, target) | {
        "mixture_nll": metrics.mixture_nll(means, variances, target),
        "crps": metrics.gaussian_crps(prediction, variance, target),
        "coverage": metrics.interval_coverage(lower, upper, target),
        "width": metrics.interval_width(lower, upper),
        **_conformal(prediction, variance, target, seed),
        "ause": ranking.ause(np.abs(target - prediction), variance),
    }


def curves(answer: Answer, target: np.ndarray) -> dict[str, np.ndarray]:
    """What is drawn of a split: shares inside intervals, and errors without the most uncertain.

    `calibration` is at `LEVELS`; `sparsification` at `FRACTIONS`, mean absolute errors as shares
    of that of all, and `oracle` what they would be by the errors' own order.
    """
    prediction, variance = _gaussian(answer.whole)
    error = np.abs(target - prediction)
    mean = error.mean() or 1.0
    return {
        "calibration": metrics.calibration_curve(prediction, variance, target, LEVELS),
        "sparsification": ranking.sparsification(error, variance, FRACTIONS) / mean,
        "oracle": ranking.sparsification(error, error, FRACTIONS) / mean,
    }


def measure_truth(
    whole: Risk, curve: np.ndarray, sigma: np.ndarray, inside: np.ndarray
) -> dict[str, float]:
    """What is known of the cubic, against the answers on its grid; what a model has not is nan.

    Args:
      whole: leaves `[m, ...]`, in the target's unit.
      curve: the target without noise, `[m]`.
      sigma: its noise's standard deviation, `[m]`.
      inside: bool `[m]`, where there is something to train on.

    Returns:
      `rmse_of_curve` inside; `noise_order`, the rank correlation of aleatoric risk and sigma
      inside; `beyond_by_<field>`, the chance that a point beyond has more epistemic risk, less
      density or more novelty than one inside (AUROC).
    """
    found = {"rmse_of_curve": metrics.rmse(whole.prediction[inside, 0], curve[inside])}
    found["noise_order"] = ranking.spearman(whole.aleatoric[inside, 0], sigma[inside])
    scores = {
        "epistemic": None if whole.epistemic is None else whole.epistemic[:, 0],
        "density": None if whole.density is None else -whole.density,
        "novelty": whole.novelty,
    }
    for name, score in scores.items():
        found[f"beyond_by_{name}"] = (
            np.nan if score is None else ranking.auroc(score[~inside], score[inside])
        )
    return found


def over_splits(found: Sequence[Found]) -> dict[str, dict[str, float | None]]:
    """Mean over splits of every measure, and its standard error.

    The error is None of one split, and where a number is not finite: that of conformal intervals
    of few rows, say.
    """
    result = {}
    for name in found[0]:
        values = np.array([each[name] for each in found])
        known = len(values) > 1 and np.isfinite(values).all()
        error = float(values.std(ddof=1) / np.sqrt(len(values))) if known else None
        result[name] = {"mean": float(values.mean()), "error": error}
    return result


def _gaussian(risk: Risk) -> tuple[np.ndarray, np.ndarray]:
    """Means and predictive variances of the one number that is predicted, `[..., m]`."""
    return risk.prediction[..., 0], risk.total()[..., 0]


def _conformal(
    prediction: np.ndarray, variance: np.ndarray, target: np.ndarray, seed: int
) -> dict[str, float]:
    """Coverage and width of conformal intervals, the mean of both halves; nan of a single row."""
    if len(target) < 2:
        return {"conformal_coverage": np.nan, "conformal_width": np.nan}
    order = np.random.RandomState(seed).permutation(len(target))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    coverage, width = [], []
    for known, new in (halves, halves[::-1]):
        fitted = conformal.calibrate(prediction[known], variance[known], target[known], LEVEL)
        lower, upper = conformal.interval(fitted, prediction[new], variance[new])
        coverage.append(metrics.interval_coverage(lower, upper, target[new]))
        width.append(metrics.interval_width(lower, upper))
    return {"conformal_coverage": np.mean(coverage), "conformal_width": np.mean(width)}
