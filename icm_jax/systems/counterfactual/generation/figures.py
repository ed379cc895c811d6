"""A generator in pictures: parts, shapes in all textures, walks, masks along training."""

from matplotlib.figure import Figure

from icm_jax.report import figures, lines, series
from icm_jax.system import Evaluation
from icm_jax.systems.counterfactual.networks.mechanisms import Each


def draw(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name.

    Args:
      evaluation: the last one.
      records: as in `metrics.jsonl`.
    """
    drawn = {
        "training": lines.panels(series.charts(records), "Training"),
        "masks": lines.panels(
            {
                "mean area": _of_classes(records, "mask_area"),
                "mean of the frame": _of_classes(records, "mask_frame"),
            },
            "Masks of each class",
        ),
    }
    if evaluation.arrays:
        drawn |= _draw_images(evaluation)
    return drawn


def _of_classes(records: list[dict], scalar: str) -> lines.Series:
    steps, values = series.evaluated(records, scalar)
    count = len(values[0]) if values else 0
    return {str(label): (steps, [value[label] for value in values]) for label in range(count)}


def _draw_images(evaluation: Evaluation) -> dict[str, Figure]:
    parts, grid, walks = (evaluation.arrays[name] for name in ("parts", "grid", "walks"))
    labels = [str(label) for label in range(grid.shape[0])]
    return {
        "parts": figures.image_grid(
            parts,
            ["mask", "foreground", "background", "image"],
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
