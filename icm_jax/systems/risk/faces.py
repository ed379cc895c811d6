"""Faces against whatever is no face, brought through one pipeline, so that pixels alone differ.

Pictures of the two classes come from different cameras, in different sizes and formats. Left as
they are, a network tells them by sharpness or compression; so each is averaged to `COMMON` pixels
a side, resized to the size asked for and compressed as JPEG, and is grey if the faces are. Faces
are read at `READ` pixels a side before that (bicubic), which those of other sizes than that notice:
by some 3 of 255 grey levels in the mean.
"""

import io
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from icm_jax import data, paths
from icm_jax.data import wheels
from icm_jax.data.image_files import image_files
from icm_jax.data.images import decode, resize
from icm_jax.data.npz import read_npz
from icm_jax.data.split import held_out
from icm_jax.data.types import Dataset, Splits

COMMON = 32  # pixels a side: no more than any picture has
READ = 64  # at which faces are read, and kept in the cache
BUNDLED = "bundled"

# Photographs in wheels, without people, and whether their crops are tested on.
_SKIMAGE = ("scikit-image", "skimage/data")
_SKLEARN = ("scikit-learn", "sklearn/datasets/images")
_PICTURES = {
    "brick.png": (_SKIMAGE, False),
    "cell.png": (_SKIMAGE, False),
    "chelsea.png": (_SKIMAGE, False),
    "china.jpg": (_SKLEARN, False),
    "coffee.png": (_SKIMAGE, True),
    "flower.jpg": (_SKLEARN, False),
    "grass.png": (_SKIMAGE, False),
    "gravel.png": (_SKIMAGE, True),
    "hubble_deep_field.jpg": (_SKIMAGE, True),
    "ihc.png": (_SKIMAGE, False),
    "moon.png": (_SKIMAGE, False),
    "motorcycle_left.png": (_SKIMAGE, False),
    "page.png": (_SKIMAGE, False),
    "retina.jpg": (_SKIMAGE, False),
    "rocket.jpg": (_SKIMAGE, True),
    "text.png": (_SKIMAGE, True),
}
_SMALLEST_CROP = 48


class _Pictures(NamedTuple):
    """What is no face.

    Attributes:
      images: N uint8 arrays `[H, W, C]` of any sizes.
      names: text `[N]`, what each is or is cut from.
      test: bool `[N]`.
    """

    images: Sequence[np.ndarray]
    names: np.ndarray
    test: np.ndarray


def load_faces(config: Any) -> Splits:
    """Loads faces (label 1) and non-faces (label 0), faces first.

    Args:
      config: `ml_collections.ConfigDict` or the like, with
        `source`, `name`, `dir`: of the faces, as in `icm_jax.data.load`: 'bundled' and 'orl' need
          no files, 'faces' and 'utkface' a folder or zip;
        `non_faces`: 'bundled' for crops of pictures in the wheels of scikit-image and
          scikit-learn; or a `.npz` file with uint8 `images` `[N, H, W, C]`; or a folder or zip of
          images, each of which is used whole;
        `crops`: how many of each picture, for 'bundled';
        `size`: of the images, in pixels a side;
        `quality`: of the JPEG compression, 1 to 95; 0 for none.

    Returns:
      uint8 images `[N, size, size, C]`, C as of the faces. No picture is in both splits, and
      nobody where it is known who is who. Attributes are those of the faces, for non-faces '' or
      -1, and `picture`: what a non-face is or is cut from, '' for a face.

    Raises:
      ValueError: a field has a value that is not allowed, or the data are damaged.
      FileNotFoundError: the data are not there.
    """
    _check(config)
    faces = data.load(
        types.SimpleNamespace(
            source=config.source,
            name=config.name,
            dir=config.dir,
            size=READ,
            invert=False,
            box=0,
            thicken=0,
        )
    )
    channels = faces.train.images.shape[-1]
    pictures = _load_non_faces(config.non_faces, config.crops, channels)
    return Splits(
        *(
            _join(split, pictures, np.flatnonzero(pictures.test == is_test), config)
            for split, is_test in zip(faces, (False, True), strict=True)
        )
    )


def prepare(images: Sequence[np.ndarray], channels: int, size: int, quality: int) -> np.ndarray:
    """Brings images through the pipeline.

    Args:
      images: N uint8 arrays `[H, W, C]` of any sizes, C 1 or 3.
      channels: 1 to make all grey; 3 for colour, where grey ones have three equal channels.
      size: pixels a side in the end.
      quality: of the JPEG compression, 1 to 95; 0 for none.

    Returns:
      uint8 `[N, size, size, channels]`.
    """
    made = np.empty((len(images), size, size, channels), np.uint8)
    for row, image in zip(made, images, strict=True):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        if channels == 1:
            picture = picture.convert("L")
        small = np.asarray(picture.resize((COMMON, COMMON), Image.Resampling.BOX))
        row[...] = _compress(resize(small.reshape(COMMON, COMMON, -1), size), quality)
    return made


def _check(config: Any) -> None:
    for field, low, high in (("size", 8, 1024), ("quality", 0, 95), ("crops", 1, 100_000)):
        value = getattr(config, field)
        if not low <= value <= high:
            raise ValueError(f"data.{field}: {value} is not allowed; choose from {low} to {high}")


def _join(faces: Dataset, pictures: _Pictures, rows: np.ndarray, config: Any) -> Dataset:
    """Faces and the pictures `rows`, int `[M]`, as one split."""
    none = {
        name: np.full(len(rows), "" if values.dtype.kind in "US" else -1, values.dtype)
        for name, values in faces.attributes.items()
    }
    attributes = {
        name: np.concatenate([values, none[name]]) for name, values in faces.attributes.items()
    }
    empty = np.full(len(faces.labels), "", pictures.names.dtype)
    attributes["picture"] = np.concatenate([empty, pictures.names[rows]])
    images = [*faces.images, *(pictures.images[row] for row in rows)]
    channels = faces.images.shape[-1]
    return Dataset(
        prepare(images, channels, config.size, config.quality),
        np.repeat([1, 0], [len(faces.labels), len(rows)]).astype(np.int32),
        attributes,
    )


def _load_non_faces(where: str, crops: int, channels: int) -> _Pictures:
    if where == BUNDLED:
        return _crop_pictures(crops, channels)
    if where.lower().endswith(".npz"):
        images, names = _read_npz(where), None
    else:
        names, images = [], []
        for path, content in image_files(where, "data.non_faces"):
            names.append(path)
            images.append(decode(content, f"data.non_faces: {path!r}"))
    if len(images) < 2:
        raise ValueError(
            f"data.non_faces: {where!r} has {len(images)} images; at least 2 are needed, one to "
            "train on and one to test on"
        )
    names = names or [f"{i:05d}" for i in range(len(images))]
    return _Pictures(images, np.array(names), held_out(names))


def _read_npz(where: str) -> np.ndarray:
    """The array `images` of a file."""
    path = paths.local(where, "data.non_faces")
    if not path.is_file():
        raise FileNotFoundError(f"data.non_faces: there is no file {where!r}")
    (images,) = read_npz(path, ("images",), "data.non_faces")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"data.non_faces: {where!r} has images {images.dtype} {images.shape}; uint8 "
            "[N, H, W, C] with 1 or 3 channels are needed"
        )
    return images


def _crop_pictures(crops: int, channels: int) -> _Pictures:
    """Square crops of the pictures in wheels, of many sizes and always the same ones.

    Grey pictures are left out where faces are in colour: being grey would tell a non-face.
    """
    images, names, test = [], [], []
    for number, (name, ((package, folder), is_test)) in enumerate(_PICTURES.items()):
        path = wheels.locate(package, f"{folder}/{name}", "data.non_faces", BUNDLED)
        picture = decode(Path(path).read_bytes(), f"data.non_faces: {name!r}")
        if picture.shape[-1] < channels:
            continue
        images += draw_crops(picture, crops, number)
        names += [name] * crops
        test += [is_test] * crops
    return _Pictures(images, np.array(names), np.array(test))


def draw_crops(picture: np.ndarray, crops: int, seed: int) -> list[np.ndarray]:
    """Squares cut from a picture `[H, W, C]`; small ones as often as large ones.

    Sides are from `_SMALLEST_CROP` pixels, or the picture's shorter side, to the shorter side, and
    evenly spread in their logarithm.
    """
    random = np.random.RandomState(seed)
    height, width = picture.shape[:2]
    longest = min(height, width)
    shortest = min(_SMALLEST_CROP, longest)
    cut = []
    for _ in range(crops):
        side = round(shortest * (longest / shortest) ** random.random_sample())
        top, left = (random.randint(length - side + 1) for length in (height, width))
        cut.append(picture[top : top + side, left : left + side])
    return cut


def _compress(image: np.ndarray, quality: int) -> np.ndarray:
    """What is left of an image `[H, W, C]` after JPEG."""
    if quality == 0:
        return image
    file = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape)
