"""What a run of stable features came to, as its report tells it."""

from collections.abc import Mapping
from typing import Any

from icm_jax.report.story import Measure, Story, cell

MEASURES = {
    "validation given": Measure("validation accuracy by given labels", "%"),
    "test given": Measure("test accuracy by given labels", "%"),
    "test true": Measure("test accuracy by true labels", "%"),
    "worst cell true": Measure("test accuracy in the worst cell", "%"),
}

_PARTS = ("validation", "test")


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    accuracy = summary["accuracy"]
    sentence = (
        f"{summary['method']}: accuracy {_percent(accuracy['validation_given'])} validation, given "
        f"labels; {_percent(accuracy['test_true'])} test, true labels; "
        f"{_percent(accuracy['worst_cell_true'])} in its worst cell"
    )
    rows = {
        "all images, given labels": ("given", lambda found: cell(found["accuracy"], "%")),
        "all images, true labels": ("true", lambda found: cell(found["accuracy"], "%")),
        "best channel, true labels": ("true", lambda found: _channel(found, max)),
        "worst channel, true labels": ("true", lambda found: _channel(found, min)),
        "worst cell, true labels": ("true", _worst_cell),
    }
    return Story(
        sentence,
        picture="channels",
        head=("accuracy (%)", *_PARTS),
        rows=[
            [label, *(of(summary[part][kind]) if kind in summary[part] else "–" for part in _PARTS)]
            for label, (kind, of) in rows.items()
        ],
        curves=("accuracy", "training"),
        notes=[_selection(summary["selection"]), *_tofu(summary.get("tofu"))],
    )


def _channel(found: Mapping[str, Any], choose) -> str:
    """The accuracy in the channel that `choose`, min or max, takes, and which that is."""
    known = {c: a for c, a in enumerate(found["per_channel"]["accuracy"]) if a is not None}
    channel = choose(known, key=known.get)
    return f"{cell(known[channel], '%')} (channel {channel})"


def _worst_cell(found: Mapping[str, Any]) -> str:
    worst = found["worst_cell"]
    return f"{cell(worst['accuracy'], '%')} (label {worst['label']}, channel {worst['channel']})"


def _selection(selection: Mapping[str, Any]) -> str:
    score = selection["score"]
    if score is None:
        return "The parameters are those of the last step."
    return (
        f"The parameters are the best by the {selection['by']}: those of step {selection['step']}, "
        f"{score:.1%} there."
    )


def _tofu(found: Mapping[str, Any] | None) -> list[str]:
    """Sentences on the steps of TOFU before the last."""
    if found is None:
        return []
    mean = found["clusters"]["mean"]
    return [
        *(
            f"TOFU, {pair}: {of['accuracy']:.1%} predicted right; of these "
            f"{_percent(of['right_in_channel'])} lie in the channel of their label, of the "
            f"mistaken {_percent(of['mistaken_in_channel'])}."
            for pair, of in found["cross_prediction"].items()
        ),
        "TOFU, clusters, by whether an image lies in the channel of its label: homogeneity "
        f"{mean['homogeneity']:.2f}, V-measure {mean['v_measure']:.2f}.",
    ]


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"
