"""A generator on ImageNet in pictures: parts, shapes in all textures, ways from class to class."""

from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax.report import figures, lines, series
from icm_jax.system import Evaluation
from icm_jax.systems.counterfactual.imagenet.generation.evaluation import PARTS
from icm_jax.systems.counterfactual.networks.mechanisms import Each

_MEASURED = ("mask_mean", "mask_entropy", "reconstruction", "background_seen")


def draw(config: ConfigDict, evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name.

    Args:
      config: of the run.
      evaluation: the last one.
      records: as in `metrics.jsonl`.
    """
    measured = {
        name.replace("_", " "): {name: series.evaluated(records, name)} for name in _MEASURED
    }
    drawn = {
        "training": lines.panels(series.charts(records), "Training"),
        "measures": lines.panels(measured, "Images of the same random labels"),
    }
    if not evaluation.arrays:
        return drawn
    parts, grid, ways = (evaluation.arrays[name] for name in ("parts", "grid", "ways"))
    labels = [str(label) for label in config.evaluation.classes]
    few = labels[: len(grid)]
    shown = labels[: parts.shape[1]]
    return drawn | {
        "parts": figures.image_grid(parts, PARTS, shown, "What some classes are made of"),
        "counterfactuals": figures.image_grid(
            grid,
            [f"shape {label}" for label in few],
            few,
            "Shapes in rows, foreground textures in columns (backgrounds the other way round)",
        ),
        "ways": figures.image_grid(
            ways,
            list(Each._fields),
            [str(number + 1) for number in range(ways.shape[1])],
            f"From class {shown[0]} to class {shown[-1]} in one mechanism",
        ),
    }
