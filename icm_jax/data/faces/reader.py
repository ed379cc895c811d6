"""What a reader is: from the names of files, and the texts beside them, to faces."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from icm_jax.data.image_files import has_image_name


class Face(NamedTuple):
    """A face in an image.

    Attributes:
      path: of the image.
      attributes: name -> value; every face of a data set has the same names.
      box: left, top, right and bottom of the face in pixels, right and bottom exclusive; the
        whole image where it is None.
      where: the file and line that the box is from, for messages.
    """

    path: str
    attributes: Mapping[str, str | int]
    box: tuple[int, int, int, int] | None = None
    where: str = ""


class Unusable(NamedTuple):
    """A face that is mentioned and cannot be used.

    Attributes:
      path: of the image.
      reason: in words, naming file and line.
    """

    path: str
    reason: str


class Reader(NamedTuple):
    """How the faces of a data set are found.

    Attributes:
      faces: `(paths of all files, content of those beside the images) -> faces`, pure. An image
        that it does not mention is skipped.
      layout: what it looks for, for messages.
      label: the attribute that labels number; all labels are 0 where it is ''.
      beside: how the names of files end that are not images and that `faces` reads, in any case.
    """

    faces: Callable[[Sequence[str], Mapping[str, bytes]], Iterable[Face | Unusable]]
    layout: str
    label: str = ""
    beside: tuple[str, ...] = ()


def by_path(
    pattern: str,
    attributes: Callable[[re.Match], Mapping[str, str | int]],
    needs_suffix: bool = True,
) -> Callable[[Sequence[str], Mapping[str, bytes]], Iterator[Face]]:
    """The `faces` of a reader that needs the paths alone.

    Args:
      pattern: of the end of a path, from the beginning of a file's or a folder's name, without the
        suffix of an image (`.png`, `.JPG`, ...), whichever it is.
      attributes: from the match to the attributes.
      needs_suffix: whether files without such a suffix are left out.
    """
    compiled = re.compile(rf"(?:.*/)?{pattern}")

    def faces(paths: Sequence[str], beside: Mapping[str, bytes]) -> Iterator[Face]:
        del beside
        for path in paths:
            has_suffix = has_image_name(path)
            match = compiled.fullmatch(path.rpartition(".")[0] if has_suffix else path)
            if match and (has_suffix or not needs_suffix):
                yield Face(path, attributes(match))

    return faces
