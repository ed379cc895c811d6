"""What a run of a generator came to, as its report tells it."""

from collections.abc import Mapping
from typing import Any

from icm_jax.report.story import Measure, Story, cell

MEASURES = {"whole masks": Measure("whole masks")}


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    sentence = (
        f"{summary['whole_masks']} of {summary['classes']} classes have whole masks "
        f"({summary['set']})"
    )
    rows = [
        [str(label), cell(check["area"], "%"), cell(check["frame"], "%"), check["fault"] or "whole"]
        for label, check in enumerate(summary["masks"])
    ]
    return Story(
        sentence,
        picture="counterfactuals",
        head=("class", "mask: area (%)", "of its frame (%)", "mask"),
        rows=rows,
        curves=("history", "parts", "walks", "masks", "training"),
        notes=[
            "The check of masks needs no label: a mask is empty, full, inverted, touches the frame "
            "of 3 pixels, or is whole (icm_jax.systems.counterfactual.masks). A whole mask need "
            "not show the right digit."
        ],
    )
