"""The runs of a study as rows, and what they come to together."""

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from icm_jax.training.table import is_known

Row = Mapping[str, Any]
_KEYS = ("variant", "seed")


def by_variant(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each variant, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["variant"], []).append(row)
    return found


def columns(rows: Sequence[Row]) -> list[str]:
    """The names of all numbers, in the order in which rows bring them."""
    return list(dict.fromkeys(name for row in rows for name in row if name not in _KEYS))


def csv_text(rows: Sequence[Row]) -> str:
    """All rows as CSV, one run a line; a number that a run has not is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_KEYS, *columns(rows)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def compare(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table with one row a variant: means and spreads over seeds.

    A number is `mean ± sample standard deviation`, or alone where there is one seed; what is yes
    or no is `k of n`. A number that some seeds do not have says how many have it.
    """
    head = ["variant", "seeds", *columns(rows)]
    table = []
    for variant, own in by_variant(rows).items():
        seeds = ", ".join(str(row["seed"]) for row in own)
        table.append([variant, seeds, *(_cell(name, own) for name in columns(rows))])
    return head, table


def of_prefix(rows: Sequence[Row], prefix: str) -> list[Row]:
    """The rows with those numbers alone whose name begins with `prefix: `, named by what follows.

    With the prefix '' these are the numbers whose name has none.
    """

    def kept(name):
        found, separator, rest = name.rpartition(": ")
        return (rest if separator else name) if found == prefix else None

    return [
        {new: row[name] for name in row if (new := name if name in _KEYS else kept(name))}
        for row in rows
    ]


def texts(head: Sequence[str], rows: Sequence[Sequence[str | float]]) -> list[list[str]]:
    """The rows of a table as text, numbers as in `compare`."""
    return [
        [cell if isinstance(cell, str) else _number(name, cell) for name, cell in pairs]
        for pairs in (zip(head, row, strict=True) for row in rows)
    ]


def _cell(name: str, rows: Sequence[Row]) -> str:
    values = [row[name] for row in rows if is_known(row.get(name))]
    if not values:
        return "–"
    if all(isinstance(value, bool) for value in values):
        return f"{sum(values)} of {len(values)}"
    text = _number(name, statistics.fmean(values))
    if len(values) > 1:
        text += f" ± {_number(name, statistics.stdev(values))}"
    return text if len(values) == len(rows) else f"{text} ({len(values)} of {len(rows)})"


def _number(name: str, value: float) -> str:
    """Accuracies and other fractions as percentages; a dash for what is not a number."""
    if not math.isfinite(value):
        return "–"
    share = any(word in name for word in ("accuracy", "called canonical", "fraction"))
    return f"{value:.1%}" if share else f"{value:.4g}"
