"""An ICM run in pictures."""

from collections.abc import Sequence

import numpy as np

from icm_jax.report import series
from icm_jax.system import Evaluation
from icm_jax.systems.icm import competition_figures
from icm_jax.systems.icm.specialization import match
from icm_jax.systems.icm.summary import overall

_JUDGED = {
    "accuracy": "Accuracy of a classifier on restored images",
    "called_canonical": "Restored images that a classifier calls canonical",
}


def draw_restoration(names: Sequence[str], evaluation: Evaluation, records: list[dict]) -> dict:
    """What the experts make of images: grid, accuracy against step, losses."""
    arrays = evaluation.arrays
    matching = match(arrays["wins"])
    drawn = {
        "experts": competition_figures.io_grid(
            arrays["inputs"],
            arrays["outputs"],
            arrays["winners"],
            names,
            originals=arrays.get("originals"),
            order=competition_figures.expert_order(matching, len(arrays["outputs"])),
        ),
        "losses": competition_figures.losses(records),
    }
    for name, title in _JUDGED.items():
        steps, restored = series.evaluated(records, f"{name}_restored")
        if steps:
            bounds = overall(evaluation.summary[name])
            del bounds["restored"]
            drawn[name] = competition_figures.judged_curve(steps, restored, bounds, title)
            kept = series.evaluated(records, "kept_ssim")
            # Where nobody knows what has to change, all of an image should be kept.
            if "originals" not in arrays and kept[0] == steps:
                drawn["trade_off"] = competition_figures.trade_off(steps, kept[1], restored, bounds)
    return drawn


def draw_figures(names: Sequence[str], evaluation: Evaluation, records: list[dict]) -> dict:
    """The run in pictures: as `draw_restoration`, and specialization and scores against step."""
    arrays = evaluation.arrays
    drawn = draw_restoration(names, evaluation, records)
    drawn["specialization"] = competition_figures.specialization(
        arrays["wins"], names, match(arrays["wins"]), arrays["identified"]
    )
    steps, scores = series.evaluated(records, "scores")
    if steps:
        drawn["scores"] = competition_figures.score_curves(
            np.asarray(steps), np.asarray(scores), names
        )
    return drawn
