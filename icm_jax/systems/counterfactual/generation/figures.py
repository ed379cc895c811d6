"""A generator in pictures: parts, shapes in all textures, walks, masks along training."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import figures, lines, series
from icm_jax.system import Evaluation
from icm_jax.systems.counterfactual.generation.history import PARTS
from icm_jax.systems.counterfactual.networks.mechanisms import Each


def draw(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name.

    Args:
      evaluation: the last one.
      records: as in `metrics.jsonl`.
    """
    said = evaluation.summary
    names = said.get("names") or [str(label) for label in range(said["classes"])]
    drawn = {
        "training": lines.panels(series.charts(records), "Training"),
        "masks": lines.panels(
            {
                "mean area": _of_classes(records, "mask_area", names),
                "mean of the frame": _of_classes(records, "mask_frame", names),
            },
            "Masks of each class",
        ),
    }
    if evaluation.arrays:
        drawn |= _draw_images(evaluation, names)
    return drawn


def _of_classes(records: list[dict], scalar: str, names: Sequence[str]) -> lines.Series:
    steps, values = series.evaluated(records, scalar)
    count = len(values[0]) if values else 0
    return {names[label]: (steps, [value[label] for value in values]) for label in range(count)}


def _draw_images(evaluation: Evaluation, names: Sequence[str]) -> dict[str, Figure]:
    parts, grid, walks = (evaluation.arrays[name] for name in ("parts", "grid", "walks"))
    labels = names[: grid.shape[0]]
    return {
        "history": _draw_history(evaluation.arrays["history"], evaluation.arrays["steps"], names),
        "parts": figures.image_grid(
            parts,
            PARTS,
            labels,
            "What each class is made of",
        ),
        "counterfactuals": figures.image_grid(
            grid,
            [f"shape {label}" for label in labels],
            labels,
            "Shapes in rows, foreground textures in columns (backgrounds the other way round)",
        ),
        "walks": figures.image_grid(
            walks,
            list(Each._fields),
            [str(number + 1) for number in range(walks.shape[1])],
            "A walk of one mechanism's noise, the others standing still",
        ),
    }


def _draw_history(history: np.ndarray, steps: np.ndarray, names: Sequence[str]) -> Figure:
    """The parts of some classes at several steps, see `history.shown`."""
    classes = history.shape[2]
    rows = np.concatenate([history[:, :, label] for label in range(classes)], axis=1)
    return figures.image_grid(
        rows / 255,
        [f"step {step}" for step in steps],
        [f"{name}: {part}" for name in names[:classes] for part in PARTS],
        "What some classes are made of, along training",
    )
