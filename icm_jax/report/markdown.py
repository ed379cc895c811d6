"""Tables in Markdown."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """Writes a table, a line each for head, alignment and every row; every line ends.

    Args:
      head: names of the columns.
      rows: texts, as many as there are columns.
      numbers: all columns but the first hold numbers, to stand on the right.
    """
    others = "---:" if numbers else "---"
    lines = [head, ["---", *[others] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
