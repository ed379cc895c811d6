"""What a run of the face detector came to, as its report tells it."""

from collections.abc import Mapping, Sequence
from typing import Any

from icm_jax.report.story import Measure, Story, cell

MEASURES = {
    "accuracy": Measure("test accuracy", "%"),
    "ordinary faces": Measure("recall of ordinary faces", "%"),
    "worst group": Measure("recall of the worst group", "%"),
    "non-faces": Measure("accuracy on non-faces", "%"),
}
_BY = {
    "": "drawn alike",
    "density": "drawn more often the rarer they are",
    "epistemic": "drawn more often the more uncertain they are",
    "both": "drawn more often the rarer and the more uncertain they are",
    "group": "drawn by their group, which is told",
}
_WORDS = {
    "density and share": "The rank correlation of the groups' mean density with their shares is "
    "{:.2f}.",
    "rare by density": "Low density tells faces of rare groups from others, AUROC {:.2f}.",
    "aleatoric and rate": "The rank correlation of the groups' mean aleatoric uncertainty with "
    "their share of wrong labels is {:.2f}.",
}
_BEFORE = (
    "In the first epoch all faces were drawn alike: bins and faces of then are before resampling, "
    "but also of shorter training. A run with erm has all of it without resampling."
)


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    accuracy, sampling = summary["accuracy"], summary["sampling"]
    sentence = (
        f"Faces {_BY[summary['resampling']]}: accuracy {cell(accuracy['all'], '%')} %, recall "
        f"{cell(accuracy['ordinary'], '%')} % of ordinary faces and "
        f"{cell(accuracy['worst_group'], '%')} % of the worst group, "
        f"{cell(accuracy['non_faces'], '%')} % of what is no face"
    )
    rows = [
        [
            str(row["name"]),
            cell(row["share"], "%"),
            cell(drawn, "%"),
            cell(recall, "%"),
            *(cell(row.get(score)) for score in ("density", "epistemic", "aleatoric")),
        ]
        for row, drawn, recall in zip(
            summary["groups"], sampling["groups"], accuracy["groups"], strict=True
        )
    ]
    return Story(
        sentence,
        picture="recall",
        head=(
            "faces",
            "share in training (%)",
            "to be drawn (%)",
            "recall (%)",
            "log density",
            "epistemic (nats)",
            "aleatoric (nats)",
        ),
        rows=rows,
        curves=(*summary["pictures"], "sampling", "training"),
        notes=[
            "Groups were planted; the world is described in icm_jax.systems.risk.worlds.",
            f"Of {sampling['of']} faces {sampling['effective']:.0f} would be drawn, effectively.",
            *[_BEFORE] * (summary["resampling"] in ("density", "epistemic", "both")),
            *_tell_cleaning(summary["cleaning"]),
            *_tell_luminance(summary["luminance"]),
            *(
                _WORDS[name].format(value)
                for name, value in summary["scores"].items()
                if value is not None
            ),
        ],
    )


def _tell_luminance(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Recall, and density where there is one, of the quarters in words; [] of none."""
    if not rows:
        return []
    recall = ", ".join(f"{cell(row['recall'], '%')} of {row['faces']}" for row in rows)
    said = (
        "Of faces that nothing was done to, by luminance from the darkest quarter to the "
        f"brightest, these percentages are found: {recall}"
    )
    if "density" in rows[0]:
        said += f"; mean log density: {', '.join(cell(row['density']) for row in rows)}"
    return [f"{said}."]


def _tell_cleaning(found: Mapping[str, Any]) -> list[str]:
    """What was left out in words; [] where nothing was."""
    if not found:
        return []
    return [
        f"{found['left_out']} of {found['of']} training images were left out for their uncertainty;"
        f" {cell(found['wrong'], '%')} % of them had a wrong label, which is "
        f"{cell(found['found'], '%')} % of all wrong labels: before "
        f"{cell(found['wrong_before'], '%')} % of the labels were wrong, after "
        f"{cell(found['wrong_after'], '%')} %."
    ]
