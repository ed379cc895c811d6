"""CelebA (Liu et al. 2015): 40 attributes of each image in `list_attr_celeba.txt` (or `.csv`).

Where `identity_CelebA.txt` lies beside it, the person is known too.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from icm_jax.data.faces.reader import Face, Reader

_LISTS = ("list_attr_celeba.txt", "list_attr_celeba.csv")
_PEOPLE = "identity_CelebA.txt"


def _faces(paths: Sequence[str], beside: Mapping[str, bytes]) -> Iterator[Face]:
    texts = {PurePosixPath(path).name: content.decode() for path, content in beside.items()}
    listed = next((texts[name] for name in _LISTS if name in texts), None)
    if listed is None:
        raise FileNotFoundError(f"data.dir: {_LISTS[0]} is missing; 'celeba' needs it")
    names, rows = _table(listed)
    people = dict(line.split()[:2] for line in texts.get(_PEOPLE, "").splitlines() if line.strip())
    for path in paths:
        file = PurePosixPath(path).name
        values = rows.get(file, "").split()
        if len(values) != len(names) or (people and file not in people):
            continue
        person = {"person": people[file]} if people else {}
        yield Face(path, dict(zip(names, map(int, values), strict=True)) | person)


def _table(text: str) -> tuple[list[str], dict[str, str]]:
    """The names of the attributes, and file -> its values in one line, which take less memory."""
    lines = text.replace(",", " ").splitlines()
    # As published, the first line is the number of images; as CSV, `image_id` precedes the names.
    head = next((line.split() for line in lines if len(line.split()) > 1), [])
    rows = (line.split(maxsplit=1) for line in lines)
    return [name for name in head if name != "image_id"], dict(r for r in rows if len(r) == 2)


READER = Reader(
    _faces,
    layout="000001.jpg and so on, each a row of list_attr_celeba.txt",
    label="Male",
    beside=(*_LISTS, _PEOPLE),
)
