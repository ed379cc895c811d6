"""Real and Fake Face Detection (Yonsei University 2019): photographs, and faces composed by hand.

The name of a composed face says how hard it is to tell and which regions are another person's.
"""

import re

from icm_jax.data.faces.reader import Reader, by_path

_REGIONS = ("left_eye", "right_eye", "nose", "mouth")


def _attributes(match: re.Match) -> dict[str, str | int]:
    difficulty, composed = match[1] or "none", match[2] or "0000"
    kind = "fake" if match[1] else "real"
    flags = dict(zip(_REGIONS, map(int, composed), strict=True))
    return {"kind": kind, "difficulty": difficulty, **flags}


READER = Reader(
    by_path(r"(?:training_real/real_\d+|training_fake/(easy|mid|hard)_\d+_([01]{4}))", _attributes),
    layout="training_real/real_00001.jpg and training_fake/easy_1_1110.jpg",
    label="kind",
)
