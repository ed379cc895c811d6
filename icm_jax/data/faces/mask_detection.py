"""Face Mask Detection (Larxel 2020): pictures of several faces, with boxes in PASCAL VOC files."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from icm_jax.data.faces.reader import Face, Reader
from icm_jax.data.image_files import has_image_name

CLASSES = ("mask_weared_incorrect", "with_mask", "without_mask")


def _faces(paths: Sequence[str], beside: Mapping[str, bytes]) -> Iterator[Face]:
    annotations = {PurePosixPath(path).stem: path for path in beside}
    for path in filter(has_image_name, paths):
        file = annotations.get(PurePosixPath(path).stem)
        if file is not None:
            for name, box in boxes(beside[file], file):
                yield Face(path, {"mask": name}, box)


def boxes(content: bytes, file: str) -> list[tuple[str, tuple[int, int, int, int]]]:
    """The objects in a PASCAL VOC file: class, and left, top, right, bottom in pixels.

    Raises:
      ValueError: if it is no such file, or declares a document type, in which entities (files of
        this machine, texts that grow without end) could hide.
    """
    try:
        text = content.decode()
        if "<!DOCTYPE" in text:
            raise ValueError("document types are not allowed")
        found = [
            (
                item.findtext("name", ""),
                tuple(int(item.findtext(f"bndbox/{edge}", "")) for edge in _EDGES),
            )
            for item in ElementTree.fromstring(text).iter("object")
        ]
    except (ValueError, ElementTree.ParseError) as error:
        raise ValueError(f"data.dir: {file!r} is not a usable annotation: {error}") from error
    for name, _ in found:
        if name not in CLASSES:
            raise ValueError(
                f"data.dir: {file!r} has an object {name!r}; it must be one of {', '.join(CLASSES)}"
            )
    return found


_EDGES = ("xmin", "ymin", "xmax", "ymax")

READER = Reader(
    _faces,
    layout="images/NAME.png and annotations/NAME.xml",
    label="mask",
    beside=(".xml",),
)
