"""What the runs of ICM came to, as their reports tell it."""

from collections.abc import Mapping
from typing import Any

from icm_jax.report.story import Story
from icm_jax.systems.icm.summary import overall


def tell_competition(summary: Mapping[str, Any]) -> Story:
    """The story of a competition, or of an oracle, by its summary (as in `summary.json`)."""
    found, accuracy = summary["specialization"], summary["accuracy"]
    said = f"{found['identified']} of {len(found['mechanisms'])} mechanisms identified"
    shares = accuracy or summary["called_canonical"]
    if shares is not None:
        kinds = ", ".join(f"{share:.1%} {kind}" for kind, share in overall(shares).items())
        said += f"; {'accuracy' if accuracy else 'called canonical:'} {kinds}"
    return Story(said, picture="experts")


def tell_judge(summary: Mapping[str, Any]) -> Story:
    """The story of a judge alone, by its summary."""
    share = summary["accuracy"]["test"]
    return Story(f"{share:.1%} of held-out images classified as they should be", picture="loss")
