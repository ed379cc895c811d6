"""What a run of stable features came to, as its report tells it."""

from collections.abc import Mapping
from typing import Any

from icm_jax.report.story import Story


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    accuracy = summary["accuracy"]
    sentence = (
        f"{summary['method']}: accuracy {_percent(accuracy['validation_given'])} validation, given "
        f"labels; {_percent(accuracy['test_true'])} test, true labels; "
        f"{_percent(accuracy['worst_cell_true'])} in its worst cell"
    )
    return Story(sentence, picture="channels")


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"
