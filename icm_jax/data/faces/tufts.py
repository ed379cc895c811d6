"""The Tufts Face Database (Panetta et al. 2018): a folder for each modality, in it one a person.

Modalities are named as published: `RGB_E` are photographs of one person with five expressions,
`RGB_A` from around; `IR` is thermal, `NIR` near infrared, `CS` a computerized sketch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from icm_jax.data.faces.reader import Face, Reader
from icm_jax.data.image_files import has_image_name

# TD_RGB_E, and TD_RGB_E_Set1 as its parts are called.
_FOLDER = re.compile(r"TD_([A-Z0-9]+(?:_[AE])?)(?:_Set\d+)?")
# Of the modalities that end in _E, in the order of the numbers of the images.
_EXPRESSIONS = ("neutral", "smile", "eyes closed", "shocked", "sunglasses")


def _faces(paths: Sequence[str], beside: Mapping[str, bytes]) -> Iterator[Face]:
    del beside
    for path in filter(has_image_name, paths):
        folders = PurePosixPath(path).parts[-2::-1]  # the innermost first
        modality = next((m[1] for m in map(_FOLDER.fullmatch, folders) if m), None)
        number = re.search(r"(\d+)\.\w+$", path)
        if modality is None or number is None:
            continue
        # A sketch, of which there is one a person, has the person's number itself.
        person = next((name for name in folders if name.isdigit()), number[1])
        expression = "unknown"
        if modality.endswith("_E") and 1 <= int(number[1]) <= len(_EXPRESSIONS):
            expression = _EXPRESSIONS[int(number[1]) - 1]
        yield Face(path, {"person": person, "modality": modality, "expression": expression})


READER = Reader(
    _faces,
    layout="TD_<modality>/<person>/TD_<modality>_<number>.jpg",
    label="modality",
)
