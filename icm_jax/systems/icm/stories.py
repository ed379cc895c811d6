"""What the runs of ICM came to, as their reports tell it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icm_jax.report.story import Measure, Story, cell, change
from icm_jax.systems.icm.summary import headline, overall

MEASURES = {
    **{
        name: Measure(name, "%")
        for name in (
            *("accuracy original", "accuracy transformed", "accuracy restored"),
            *("canonical called canonical", "transformed called canonical"),
            *("restored called canonical", "accuracy"),
        )
    },
    "PSNR": Measure("PSNR", "dB"),
}

_JUDGED = {"accuracy": "accuracy", "called_canonical": "called canonical"}
_IDENTIFIED = (
    "A mechanism is identified where one expert wins at least 90% of its images and is the main "
    "winner of no other."
)


def tell_competition(summary: Mapping[str, Any]) -> Story:
    """The story of a competition by its summary (as in `summary.json`)."""
    names = summary["specialization"]["mechanisms"]
    # Of a single expert there is nothing to identify.
    competes = "identified" in headline(summary)
    said = []
    if competes:
        found = summary["specialization"]["identified"]
        said.append(f"{found} of {len(names)} mechanisms identified")
    columns = (_experts(summary) if competes else {}) | _restoration(summary)
    notes = [_IDENTIFIED, *_unused(summary)] if competes else []
    return _told(summary, said, columns, ["scores", "losses"], notes)


def tell_oracle(summary: Mapping[str, Any]) -> Story:
    """The story of an oracle, whose experts are told who restores what, by its summary."""
    return _told(
        summary, ["Oracle, told the mechanisms"], _restoration(summary), ["losses"], notes=[]
    )


def tell_judge(summary: Mapping[str, Any]) -> Story:
    """The story of a judge alone, by its summary."""
    share = summary["accuracy"]["test"]
    return Story(f"{share:.1%} of held-out images classified as they should be", picture="loss")


def _told(
    summary: Mapping[str, Any],
    said: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    curves: Sequence[str],
    notes: Sequence[str],
) -> Story:
    """The story of experts: `columns` have a text for each mechanism and one for all."""
    names = summary["specialization"]["mechanisms"]
    judged = [name for name in _JUDGED if summary[name]]
    for name in judged:
        label = "accuracy" if name == "accuracy" else "called canonical:"
        shares = (f"{share:.1%} {kind}" for kind, share in overall(summary[name]).items())
        said = [*said, f"{label} {', '.join(shares)}"]
    if any("→" in text for column in columns.values() for text in column):
        notes = ["Arrows lead from transformed images to restored ones.", *notes]
    return Story(
        "; ".join(said) or "One expert, judged by nothing but its images",
        picture="experts",
        head=["mechanism", *columns],
        rows=[list(row) for row in zip([*names, "all"], *columns.values(), strict=True)],
        curves=(*judged, *curves),
        notes=notes,
    )


def _experts(summary: Mapping[str, Any]) -> dict[str, list[str]]:
    """The main winner of each mechanism, its share, and whether that is enough."""
    found = summary["specialization"]
    wins = np.asarray(found["wins"])  # [M, E]
    most = wins.max(axis=1)
    winners = [str(e) if share else "–" for e, share in zip(wins.argmax(axis=1), most, strict=True)]
    identified = [cell(bool(yes)) for yes in found["identified_mechanisms"]]
    return {
        "expert": [*winners, ""],
        "its wins (%)": [*(cell(share, "%") for share in most), ""],
        "identified": [*identified, f"{found['identified']} of {len(wins)}"],
    }


def _restoration(summary: Mapping[str, Any]) -> dict[str, list[str]]:
    """What became of the images, by whatever there is to tell."""
    names, columns = summary["specialization"]["mechanisms"], {}
    for name, label in _JUDGED.items():
        if summary[name]:
            parts = [*(summary[name]["per_mechanism"][n] for n in names), overall(summary[name])]
            texts = [change(part["transformed"], part["restored"], "%") for part in parts]
            columns[f"{label} (%)"] = texts
    if summary["psnr"] is not None:
        sides = (_with_mean(summary[key], names) for key in ("psnr_transformed", "psnr"))
        columns["PSNR (dB)"] = [change(*pair, "dB") for pair in zip(*sides, strict=True)]
    kept = (summary["kept"] or {}).get("ssim")
    if kept is not None:
        columns["SSIM kept"] = [
            "–" if value is None else f"{value:.2f}" for value in _with_mean(kept, names)
        ]
    return columns


def _with_mean(values: Mapping[str, float | None], names: Sequence[str]) -> list[float | None]:
    """A number for each mechanism and the mean of those that are known, if any is."""
    each = [values[name] for name in names]
    known = [value for value in each if value is not None]
    return [*each, float(np.mean(known)) if known else None]


def _unused(summary: Mapping[str, Any]) -> list[str]:
    """Sentences on the experts that stand for no mechanism of their own."""
    found, said = summary["specialization"], []
    # Runs that were evaluated before it was counted do not have it.
    if found.get("found") is not None:
        several = "mechanism" if found["found"] == 1 else "mechanisms"
        said.append(f"Counted without labels, the experts stand for {found['found']} {several}.")
    for name, numbers in (("Idle", found["idle"]), ("Dropped", found.get("dropped"))):
        if numbers:
            several = "expert" if len(numbers) == 1 else "experts"
            said.append(f"{name}: {several} {', '.join(map(str, numbers))}.")
    return said
