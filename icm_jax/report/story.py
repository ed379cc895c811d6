"""What a report tells of a run, in the order in which a reader wants to know it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

_UNKNOWN = "–"


class Story(NamedTuple):
    """The parts of a report that a system decides upon.

    Attributes:
      sentence: the result.
      picture: the name of the figure that shows it.
      head: of a table with the result in numbers; no table where it is empty.
      rows: of that table, texts; the first of each row names it.
      curves: names of the figures along training.
      notes: what must be known to read the table, and what else was found; texts.
      links: name of a row -> address of a page about it.
    """

    sentence: str
    picture: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    curves: Sequence[str] = ()
    notes: Sequence[str] = ()
    links: Mapping[str, str] = MappingProxyType({})


class Measure(NamedTuple):
    """How a number by which seeds are compared is told.

    Attributes:
      label: what it is.
      unit: "%" of a fraction, "dB", or "" of a plain number.
    """

    label: str
    unit: str = ""

    @property
    def head(self) -> str:
        """Label and unit, above a column."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def cell(value: float | bool | None, unit: str = "") -> str:
    """A number as the text of a cell, without its unit; a fraction in percent where that is "%"."""
    if value is None:
        return _UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == "%":
        return f"{100 * value:.1f}"
    return f"{value:.1f}" if unit == "dB" else f"{value:.4g}"


def change(before: float | None, after: float | None, unit: str = "") -> str:
    """Two numbers as the text of a cell, the second having come of the first."""
    return f"{cell(before, unit)} → {cell(after, unit)}"
