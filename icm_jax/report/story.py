"""What a report tells of a run, in the order in which a reader wants to know it."""

from collections.abc import Sequence
from typing import NamedTuple


class Story(NamedTuple):
    """The parts of a report that a system decides upon.

    Attributes:
      sentence: the result.
      picture: the name of the figure that shows it.
      head: of a table with the result in numbers; no table where it is empty.
      rows: of that table, texts; the first of each row names it.
      curves: names of the figures along training.
    """

    sentence: str
    picture: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    curves: Sequence[str] = ()
