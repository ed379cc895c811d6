"""Face Mask Detection (Larxel 2020): pictures of several faces, with boxes in PASCAL VOC files."""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from xml.parsers import expat

from icm_jax.data.faces.reader import Face, Reader, Unusable
from icm_jax.data.image_files import has_image_name

CLASSES = ("mask_weared_incorrect", "with_mask", "without_mask")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
# Folders that tell pictures from annotations; by all others and the stem a pair is known.
_KINDS = ("images", "annotations", "jpegimages", "labels")

Box = tuple[int, int, int, int]


def _faces(paths: Sequence[str], beside: Mapping[str, bytes]) -> Iterator[Face | Unusable]:
    annotations = {}
    for file in beside:
        other = annotations.setdefault(_pair(file), file)
        if other != file:
            raise ValueError(
                f"data.dir: {other!r} and {file!r} are both annotations of one picture; keep one"
            )
    for path in filter(has_image_name, paths):
        file = annotations.get(_pair(path))
        if file is None:
            continue
        try:
            found = boxes(beside[file], file)
        except (UnicodeError, ElementTree.ParseError, expat.ExpatError, _NotAllowed) as error:
            yield Unusable(path, f"{file!r} is not a usable annotation: {error}")
            continue
        for name, box, where in found:
            if isinstance(box, str):
                yield Unusable(path, box)
            else:
                yield Face(path, {"mask": name}, box, where)


def _pair(path: str) -> tuple[str, ...]:
    """What a picture and its annotation have in common, whatever their two folders are called."""
    parent = [part for part in PurePosixPath(path).parent.parts if part.lower() not in _KINDS]
    return (*parent, PurePosixPath(path).stem)


class _NotAllowed(Exception):
    """A file declares what is not trusted."""


def boxes(content: bytes, file: str) -> list[tuple[str, Box | str, str]]:
    """The objects in a PASCAL VOC file: class, box, and file and line.

    A box is left, top, right, bottom in pixels, and pixels that lie in it in part belong to it. In
    place of a box that cannot be used stands the reason.

    Raises:
      ValueError: an object is of no known class.
      UnicodeError, ParseError, ExpatError: it is no such file.
      _NotAllowed: it declares a document type, in which entities (files of this machine, texts
        that grow without end) could hide.
    """
    text = content.decode("utf-8-sig")
    if "<!DOCTYPE" in text:
        raise _NotAllowed("document types are not allowed")
    found = []
    objects = ElementTree.fromstring(text).iter("object")
    for item, line in zip(objects, _lines(text), strict=True):
        where = f"{file!r} line {line}"
        name = item.findtext("name", "").strip()
        if name not in CLASSES:
            raise ValueError(
                f"data.dir: {where} has an object {name!r}; it must be one of {', '.join(CLASSES)}"
            )
        edges = [item.findtext(f"bndbox/{edge}", "") for edge in _EDGES]
        found.append((name, _box(edges, where), where))
    return found


def _lines(text: str) -> list[int]:
    """The line of each object, from 1."""
    lines = []
    parser = expat.ParserCreate()

    def start(name: str, attributes: Mapping[str, str]) -> None:
        del attributes
        if name == "object":
            lines.append(parser.CurrentLineNumber)

    parser.StartElementHandler = start
    parser.Parse(text, True)
    return lines


def _box(edges: Sequence[str], where: str) -> Box | str:
    """The box in whole pixels, or why it cannot be used."""
    try:
        left, top, right, bottom = numbers = [float(edge) for edge in edges]
        if not all(map(math.isfinite, numbers)):
            raise ValueError
    except ValueError:
        shown = ", ".join(f"{name} {edge!r}" for name, edge in zip(_EDGES, edges, strict=True))
        return f"{where} has a box that is not of numbers: {shown}"
    box = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
    if box[0] >= box[2] or box[1] >= box[3]:
        return f"{where} has an empty box {box}"
    return box


READER = Reader(
    _faces,
    layout="images/NAME.png and annotations/NAME.xml",
    label="mask",
    beside=(".xml",),
)
