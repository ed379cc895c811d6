"""What an autoencoder mixes up, as its report tells and draws it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import figures, lines, series
from icm_jax.report.scatter import scatter
from icm_jax.report.story import Measure, Story, cell
from icm_jax.system import Evaluation

_ROW = 10  # samples in a row
MEASURES = {"mixed": Measure("samples of an unseen digit and colour", "%")}


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    mixed, shown = summary["mixed"], summary["shown"]
    sentence = (
        f"{cell(mixed['samples'], '%')} % of an autoencoder's samples that show a digit do so in a "
        f"colour that this digit has not in training; the same is said of "
        f"{cell(mixed['training images'], '%')} % of training images"
    )
    return Story(
        sentence,
        picture="samples",
        head=("images", "unseen digit and colour (%)", "of those with a digit (% of all)"),
        rows=[[name, cell(mixed[name], "%"), cell(shown[name], "%")] for name in mixed],
        curves=("by_digit", "by_color", "combinations", "mixed", "training"),
        notes=[
            "In training each digit has the colours of its own class. A classifier of black and "
            "white shapes says which digit the ink is, where it is certain by 90 %; a colour is "
            "unseen if it is further from that digit's mean than 99 % of its training images' "
            "are, in the standard deviations of each channel. Nine in ten test images have "
            "another class's colour: what is said of them is how many of such a rule finds, "
            "because classes' colours overlap. The classifier tells "
            f"{cell(summary['digits_told'], '%')} % of the digits of training images.",
            "Samples are the mean pixels decoded of latents of the prior. In the picture those of "
            "an unseen digit and colour have a frame.",
        ],
    )


def draw(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name."""
    arrays, counts = evaluation.arrays, evaluation.summary["combinations"]["samples"]
    labels, none = [str(label) for label in range(len(counts))], [""] * _ROW
    counts = np.array(counts, float)
    samples = arrays["samples"].reshape(-1, _ROW, *arrays["samples"].shape[1:])
    unseen = arrays["unseen"].reshape(-1, _ROW)
    latents = arrays["latents"]
    return {
        "samples": figures.image_grid(
            samples, none[: len(samples)], none, "Samples; framed: unseen digit and colour", unseen
        ),
        "by_digit": scatter(
            latents, arrays["digits"], labels, "Test images in the latent space, by digit"
        ),
        "by_color": scatter(
            latents, arrays["colors"], labels, "The same, by the class of their colour"
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
            {"samples": series.evaluated(records, "mixed")}, "Samples of unseen digit and colour"
        ),
        "training": lines.panels(series.charts(records), "Training"),
    }
