"""The seeds of a run side by side: each one's numbers, their mean and their spread."""

import statistics
from collections.abc import Mapping

from icm_jax.report import markdown as report_markdown

Numbers = Mapping[str, float | bool]


def compare(seeds: Mapping[int, Numbers]) -> dict:
    """Compares at least two seeds, each given by the same numbers.

    Returns:
      `seeds`, as given; `mean` and `spread` (sample standard deviation) of every number by name;
      `true`, by name of what is yes or no, for how many seeds it is yes.
    """
    columns = {name: [row[name] for row in seeds.values()] for name in next(iter(seeds.values()))}
    flags = {name for name, column in columns.items() if isinstance(column[0], bool)}
    numbers = {name: column for name, column in columns.items() if name not in flags}
    return {
        "seeds": {str(seed): dict(row) for seed, row in seeds.items()},
        "mean": {name: statistics.fmean(column) for name, column in numbers.items()},
        "spread": {name: statistics.stdev(column) for name, column in numbers.items()},
        "true": {name: sum(column) for name, column in columns.items() if name in flags},
    }


def markdown(table: Mapping) -> str:
    """What `compare` found as a table to read."""
    rows = dict(table["seeds"])
    count, columns = len(rows), list(next(iter(rows.values())))
    of_all = {name: f"{true} of {count}" for name, true in table["true"].items()}
    rows |= {"mean": table["mean"] | of_all, "spread": table["spread"]}
    lines = [[seed, *(_text(row.get(name)) for name in columns)] for seed, row in rows.items()]
    return report_markdown.table(["seed", *columns], lines)


def _text(value: float | bool | str | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
