"""Files with numbers in them, read without trust: errors name the field, the file and the place."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def read_csv(path: Path, least: int, needed: str, field: str) -> tuple[list[str], np.ndarray]:
    """The names of the first line, and the numbers below it: float64 `[N, columns]`.

    Args:
      path: of the file.
      least: columns.
      needed: what to say of a file with fewer, or without a row.
      field: what an error begins with.

    Raises:
      ValueError: it cannot be read, has too little or no line of names, or a cell is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.reader(text)
            lines = [(reader.line_num, row) for row in reader if row]
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{field}: {str(path)!r} cannot be read: {error}") from error
    if len(lines) < 2 or len(lines[0][1]) < least:
        raise ValueError(f"{field}: {str(path)!r} has too little; {needed}")
    names = lines[0][1]
    if _are_numbers(names):
        raise ValueError(
            f"{field}: {str(path)!r} begins with numbers, not with a line of names; it needs one"
        )
    rows = np.empty((len(lines) - 1, len(names)))
    for values, (number, cells) in zip(rows, lines[1:], strict=True):
        if len(cells) != len(names):
            raise ValueError(
                f"{field}: {str(path)!r} line {number} has {len(cells)} cells; the line of names "
                f"has {len(names)}"
            )
        for column, cell in enumerate(cells):
            try:
                values[column] = float(cell)
            except ValueError:
                raise ValueError(
                    f"{field}: {str(path)!r} line {number}, column {names[column]!r}: {cell!r} is "
                    "not a number"
                ) from None
    return names, rows


def _are_numbers(names: Sequence[str]) -> bool:
    """Whether a first line is one of numbers, and not of columns that are called 0, 1, ..."""
    if list(names) == [str(number) for number in range(len(names))]:
        return False
    try:
        [float(name) for name in names]
    except ValueError:
        return False
    return True


def check_finite(where: str, columns: np.ndarray, target: int = -1) -> None:
    """Refuses numbers `[N, D]` of which one is not finite; the column `target` is named so.

    Raises:
      ValueError: beginning with `where`.
    """
    bad = np.argwhere(~np.isfinite(columns))
    if len(bad):
        row, column = bad[0].tolist()
        named = "target" if column == target else f"features column {column}"
        raise ValueError(
            f"{where} row {row}, {named}: {columns[row, column]} is not a finite number (rows and "
            f"columns from 0; {len(bad)} such in all)"
        )
