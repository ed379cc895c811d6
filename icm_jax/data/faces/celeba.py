"""CelebA (Liu et al. 2015): 40 attributes of each image in `list_attr_celeba.txt` (or `.csv`).

Images are found by the stem of their names: the published PNG variant has a list that says `.jpg`.
Where `identity_CelebA.txt` lies beside it, the person is known too.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from icm_jax.data.faces.reader import Face, Reader, Unusable
from icm_jax.data.image_files import has_image_name

_LISTS = ("list_attr_celeba.txt", "list_attr_celeba.csv")
_PEOPLE = "identity_CelebA.txt"
_LABEL = "Male"
_FILE = "image_id"  # what the column of files is called in the CSV
_NO_NAME = "Unnamed"  # what pandas calls an index that was written without a name


class _Table(NamedTuple):
    """A list of images. Rows are kept as text, which takes less memory.

    Attributes:
      path: of the list.
      separator: between cells; None for blanks.
      file: which column names the image.
      names: column -> name of its attribute.
      rows: stem of the image -> number of its line, from 1, and the line.
    """

    path: str
    separator: str | None
    file: int
    names: dict[int, str]
    rows: dict[str, tuple[int, str]]


def _faces(paths: Sequence[str], beside: Mapping[str, bytes]) -> Iterator[Face | Unusable]:
    listed = [_the_one(name, beside) for name in _LISTS]
    file = next(filter(None, listed), None)
    if file is None:
        raise FileNotFoundError(f"data.dir: {_LISTS[0]} is missing; 'celeba' needs it")
    table = _table(file, _text(file, beside[file]))
    if _LABEL not in table.names.values():
        raise ValueError(
            f"data.dir: {file!r} has no column {_LABEL!r}, which labels number; its columns are "
            f"{', '.join(table.names.values()) or 'none'}"
        )
    people_file = _the_one(_PEOPLE, beside)
    people = _people(_text(people_file, beside[people_file])) if people_file else {}
    for path in filter(has_image_name, paths):
        stem = PurePosixPath(path).stem
        if stem not in table.rows or (people_file and stem not in people):
            continue
        try:
            values = _values(table, stem)
            person = {"person": _person(people_file, *people[stem])} if people_file else {}
        except ValueError as error:
            yield Unusable(path, str(error))
        else:
            yield Face(path, values | person)


def _the_one(name: str, beside: Mapping[str, bytes]) -> str | None:
    """The path of the file of this name; None where there is none."""
    found = [path for path in beside if PurePosixPath(path).name.lower() == name.lower()]
    if len(found) > 1:
        raise ValueError(
            f"data.dir: {found[0]!r} and {found[1]!r} are both {name}, and images are found by "
            "their names alone; keep one, or give the folder of one as data.dir"
        )
    return found[0] if found else None


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"data.dir: {path!r} is not text in UTF-8; save it as such") from error


def _table(path: str, text: str) -> _Table:
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    # As published, the first line is the number of images and the second has no name for the
    # files; as CSV, `image_id` is their column, after that of an index where a tool added one.
    if lines and len(_cells(lines[0][1], _separator(lines[0][1]))) == 1:
        del lines[0]
    if len(lines) < 2:
        raise ValueError(f"data.dir: {path!r} has no rows; a line of names and rows are needed")
    separator = _separator(lines[0][1])
    head, first = (_cells(line, separator) for _, line in lines[:2])
    if len(head) == len(first) - 1:
        head = ["", *head]
    images = [column for column, cell in enumerate(first) if has_image_name(cell)]
    file = head.index(_FILE) if _FILE in head else next(iter(images), 0)
    names = {
        column: name
        for column, name in enumerate(head)
        if column != file and name and not name.startswith(_NO_NAME)
    }
    for name in names.values():
        if list(names.values()).count(name) > 1:
            raise ValueError(f"data.dir: {path!r} has the column {name!r} twice; keep one")
    rows = {}
    for number, line in lines[1:]:
        cells = _cells(line, separator, file + 1)
        if len(cells) > file:
            before, other = rows.get(PurePosixPath(cells[file]).stem, (0, line))
            if other != line:
                raise ValueError(
                    f"data.dir: {path!r} lines {before} and {number} are both of {cells[file]!r} "
                    "and differ; keep one"
                )
            rows[PurePosixPath(cells[file]).stem] = (number, line)
    return _Table(path, separator, file, names, rows)


def _separator(line: str) -> str | None:
    return next((mark for mark in (",", ";", "\t") if mark in line), None)


def _cells(line: str, separator: str | None, most: int = -1) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(separator, most)]


def _values(table: _Table, stem: str) -> dict[str, int]:
    """The attributes of an image; raises ValueError naming file, line and column."""
    number, line = table.rows[stem]
    cells = _cells(line, table.separator)
    values = {}
    for column, name in table.names.items():
        cell = cells[column] if column < len(cells) else ""
        try:
            value = float(cell)
            if value not in (-1, 0, 1):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"{table.path!r} line {number}, column {name!r}: {cell!r} is not 1, 0 or -1"
            ) from None
        values[name] = int(value)
    return values


def _people(text: str) -> dict[str, tuple[int, str]]:
    """Stem of the image -> number of its line, from 1, and the line."""
    rows = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    return {
        PurePosixPath(_cells(line, _separator(line))[0]).stem: (number, line)
        for number, line in rows
    }


def _person(path: str, number: int, line: str) -> str:
    cells = _cells(line, _separator(line))
    if len(cells) < 2 or not cells[1]:
        raise ValueError(f"{path!r} line {number}, column 2: the person is missing")
    return cells[1]


READER = Reader(
    _faces,
    layout="000001.jpg and so on, each a row of list_attr_celeba.txt",
    label=_LABEL,
    beside=(*_LISTS, _PEOPLE),
)
