"""What a run of a generator on ImageNet came to, as its report tells it."""

from collections.abc import Mapping
from typing import Any

from icm_jax.report.story import Measure, Story, cell

MEASURES = {
    "usable masks": Measure("usable masks", "%"),
    "mean mask": Measure("mean of the masks", "%"),
}


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    sentence = (
        f"{cell(summary['usable_masks'], '%')} % of masks are neither too small nor too large; "
        f"their mean is {cell(summary['mask_mean'], '%')} % ({summary['size']} pixels, "
        f"{summary['classes']} classes)"
    )
    rows = [
        ["mean of the masks (%)", cell(summary["mask_mean"], "%")],
        ["entropy of the masks (bits)", cell(summary["mask_entropy"])],
        ["mean difference from the frozen BigGAN", cell(summary["reconstruction"])],
        ["mask seen in backgrounds (%)", cell(summary["background_seen"], "%")],
    ]
    origins = [f"{name}: {origin}." for name, origin in summary["frozen"].items()]
    return Story(
        sentence,
        picture="parts",
        head=("measure", "value"),
        rows=rows,
        curves=("counterfactuals", "ways", "measures", "training"),
        notes=[f"Frozen networks are no part of the checkpoints. {' '.join(origins)}"],
    )
