"""The seeds of a run side by side: each one's numbers, their mean and their spread."""

import math
import statistics
from collections.abc import Mapping

from icm_jax.report import markdown as report_markdown

Numbers = Mapping[str, float | bool | None]


def compare(seeds: Mapping[int, Numbers]) -> dict:
    """Compares seeds, each given by its numbers.

    Returns:
      `seeds`, as given, each with all names, None where it has no such number; `mean` and `spread`
      (sample standard deviation) by name, of the seeds that have the number, None where too few
      have; `true`, by name of what is yes or no, for how many seeds it is yes.
    """
    names = dict.fromkeys(name for row in seeds.values() for name in row)
    columns = {
        name: [row[name] for row in seeds.values() if is_known(row.get(name))] for name in names
    }
    flags = {name: of for name, of in columns.items() if of and isinstance(of[0], bool)}
    numbers = {name: of for name, of in columns.items() if name not in flags}
    return {
        "seeds": {
            str(seed): {name: row.get(name) for name in names} for seed, row in seeds.items()
        },
        "mean": {name: statistics.fmean(of) if of else None for name, of in numbers.items()},
        "spread": {
            name: statistics.stdev(of) if len(of) > 1 else None for name, of in numbers.items()
        },
        "true": {name: sum(of) for name, of in flags.items()},
    }


def is_known(value: float | bool | None) -> bool:
    """Whether it is a number: some are nan, where there is nothing to be divided by, say."""
    return value is not None and math.isfinite(value)


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
