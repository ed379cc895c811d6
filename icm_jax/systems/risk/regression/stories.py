"""What a run of regression came to, as its report tells it."""

from collections.abc import Mapping, Sequence
from typing import Any

from icm_jax.report.story import Measure, Story, cell
from icm_jax.systems.risk.regression.measures import MEASURES as OF_SPLITS

MEASURES = {
    f"{row} NLL": Measure(f"NLL of {row}")
    for row in ("plain", "mve", "dropout", "ensemble", "ensemble_mve")
}

# Measures that are shares, told in percent.
_SHARES = ("coverage", "conformal_coverage")
_OF_TABLES = ("rmse", "nll", "crps", "coverage", "width", "conformal_coverage", "ause")
_OF_CUBIC = ("rmse", "nll", "crps", "coverage")
_OF_TRUTH = {
    "rmse_of_curve": "RMSE of the curve",
    "noise_order": "order of the noise",
    "beyond_by_epistemic": "beyond, by epistemic",
    "beyond_by_density": "beyond, by density",
    "beyond_by_novelty": "beyond, by novelty",
}


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    results, truth = summary["results"], summary.get("truth")
    names = _OF_CUBIC if truth else _OF_TABLES
    rows = [
        [row, *(_with_error(name, found[name]) for name in names)] for row, found in results.items()
    ]
    head = ["wrapper", *(_head(name) for name in names)]
    if truth:
        head += _OF_TRUTH.values()
        rows = [[*row, *(cell(truth[row[0]][name]) for name in _OF_TRUTH)] for row in rows]
    return Story(
        _sentence(summary),
        picture="wrappers" if truth else "calibration",
        head=head,
        rows=rows,
        curves=("along_training", "losses"),
        notes=[*_NOTES, *(_TRUTH_NOTES if truth else _best(summary))],
    )


_NOTES = (
    "All numbers are those of the last step, on test rows, in the unit of the target; means over "
    "splits and their standard errors. Intervals are of 90 %.",
    "Wrappers without mve are given a constant aleatoric variance: their mean squared error on "
    "training rows.",
)
_TRUTH_NOTES = (
    "Test rows are new points of the same noisy curve. Order of the noise: rank correlation of "
    "aleatoric risk with the true standard deviation where |x| is at most 4. Beyond: the chance "
    "that a place with |x| > 4, where nothing was trained on, looks less known than one inside.",
)


def _sentence(summary: Mapping[str, Any]) -> str:
    results, splits = summary["results"], summary["splits"]
    row = min(results, key=lambda row: _number(results[row]["nll"]["mean"]))
    found = results[row]
    return (
        f"{summary['data']}, {splits} {'split' if splits == 1 else 'splits'}: the least NLL has "
        f"{row}, {cell(found['nll']['mean'])}; its RMSE is {cell(found['rmse']['mean'])}, its "
        f"90 % intervals hold {cell(found['coverage']['mean'], '%')} % of the targets"
    )


def _best(summary: Mapping[str, Any]) -> Sequence[str]:
    """What the numbers would be if the best step of each split were chosen by its test rows."""
    told = [
        f"{row} {cell(found['rmse']['mean'])} and {cell(found['nll']['mean'])}"
        for row, found in summary["best_of_test_along_training"].items()
    ]
    return [
        "The least RMSE and NLL of test rows along training, as some published tables have them: "
        f"{'; '.join(told)}."
    ]


def _head(name: str) -> str:
    return f"{OF_SPLITS[name]} (%)" if name in _SHARES else OF_SPLITS[name]


def _with_error(name: str, found: Mapping[str, float | None]) -> str:
    unit = "%" if name in _SHARES else ""
    mean = cell(found["mean"], unit)
    return mean if found["error"] is None else f"{mean} ± {_short(found['error'], unit)}"


def _short(value: float, unit: str) -> str:
    return cell(value, unit) if unit else f"{value:.2g}"


def _number(value: float | None) -> float:
    """For an order in which what is unknown comes last."""
    return float("inf") if value is None or value != value else value
