"""What an autoencoder mixes up, as its report tells and draws it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import figures, lines, series
from icm_jax.report.scatter import scatter
from icm_jax.report.story import Measure, Story, cell
from icm_jax.system import Evaluation

MEASURES = {"mixed": Measure("samples with another class's colour", "%")}


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    mixed = summary["mixed"]
    sentence = (
        f"{cell(mixed['samples'], '%')} % of an autoencoder's samples show a digit in a colour "
        f"that is another class's, by the same judge {cell(mixed['originals'], '%')} % of the "
        "images it learned from"
    )
    return Story(
        sentence,
        picture="samples",
        head=("images", "in another class's colour (%)", "with a shape (%)"),
        rows=[[name, cell(mixed[name], "%"), cell(summary["shown"][name], "%")] for name in mixed],
        curves=("by_digit", "by_color", "combinations", "mixed", "training"),
        notes=[
            "In training each digit has the colours of its own class. A classifier of shapes says "
            "which digit the ink is, the nearest of the mean colours whose it is; colours vary, so "
            "that the judge errs: see what it says of the originals. It tells "
            f"{cell(summary['digits_told'], '%')} % of their digits."
        ],
    )


def draw(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name."""
    arrays, summary = evaluation.arrays, evaluation.summary
    counts = np.array(summary["combinations"]["samples"], float)
    labels = [str(label) for label in range(len(counts))]
    tens = [str(number) for number in range(10)]
    samples = arrays["samples"].reshape(10, 10, *arrays["samples"].shape[1:])
    return {
        "samples": figures.image_grid(samples, [""] * 10, [""] * 10, "Samples"),
        "by_digit": scatter(
            arrays["latents"], arrays["digits"], tens, "Test images in the latent space, by digit"
        ),
        "by_color": scatter(
            arrays["latents"], arrays["colors"], tens, "The same, by the class of their colour"
        ),
        "combinations": figures.matrix(
            counts / max(counts.max(), 1),
            labels,
            labels,
            "Samples, as shares of the most frequent combination",
            "digit",
            "colour of",
        ),
        "mixed": lines.curves(
            {"samples": series.evaluated(records, "mixed")}, "Samples in another class's colour"
        ),
        "training": lines.panels(series.charts(records), "Training"),
    }
