"""What the seeds of a run came to together."""

from collections.abc import Mapping
from typing import Any

from icm_jax.report.story import Measure, Story, cell


def tell(
    table: Mapping[str, Any], measures: Mapping[str, Measure], links: Mapping[str, str]
) -> Story:
    """The story of several seeds.

    Args:
      table: as `icm_jax.training.table.compare` makes it.
      measures: of its numbers those that the sentence tells, by name.
      links: seed -> address of its page.
    """
    rows, count = table["seeds"], len(table["seeds"])
    names = list(next(iter(rows.values())))
    of_all = {name: f"{true} of {count}" for name, true in table["true"].items()}
    told = [f"{name} in {text}" for name, text in of_all.items()]
    told += [
        _spread(table, name, of)
        for name, of in measures.items()
        if table["mean"].get(name) is not None
    ]
    units = {name: measures[name].unit for name in names if name in measures}
    every = rows | {"mean": table["mean"] | of_all, "spread": table["spread"]}
    return Story(
        f"{count} seeds: {'; '.join(told)}" if told else f"{count} seeds",
        head=["seed", *(measures.get(name, Measure(name)).head for name in names)],
        rows=[
            [label, *(_cell(row.get(name, ""), units.get(name, "")) for name in names)]
            for label, row in every.items()
        ],
        notes=["The spread is the sample standard deviation."],
        links=links,
    )


def _spread(table: Mapping[str, Any], name: str, measure: Measure) -> str:
    """Mean and spread of a number, in a sentence."""
    mean, spread = (cell(table[part][name], measure.unit) for part in ("mean", "spread"))
    space = " " if measure.unit not in ("", "%") else ""
    return f"{measure.label} {mean} ± {spread}{space}{measure.unit}"


def _cell(value: float | bool | str | None, unit: str) -> str:
    return value if isinstance(value, str) else cell(value, unit)
