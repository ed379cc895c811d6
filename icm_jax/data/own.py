"""Images of one's own, to use a trained model on: from files, folders, zips or arrays."""

import functools
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from icm_jax import paths
from icm_jax.data.image_files import (
    KINDS,
    check_is_no_pointer,
    image_files,
    read_image,
    refuse_other_format,
)
from icm_jax.data.images import decode
from icm_jax.data.npz import read_npz


def read(
    source: str | os.PathLike,
    fit: Callable[[np.ndarray, str], np.ndarray],
    field: str = "input",
) -> tuple[list[str], np.ndarray]:
    """Reads images.

    Args:
      source: an image file; a folder or zip of them, with all folders in it; or an `.npz` with an
        array `images`.
      fit: `(images, what to call them in an error) -> images` as a model takes them, `[N, ...]`.
        It is given the uint8 image of a file, `[1, H, W, C]`, C 1 or 3, or the whole array, which
        may be anything, and raises ValueError where it does not fit.
      field: what an error begins with.

    Returns:
      Names, the paths within `source` or numbers in an `.npz`, and what `fit` made, as one array.

    Raises:
      ValueError: there is no image, or one is damaged or does not fit.
      FileNotFoundError: there is nothing at `source`.
    """
    path = paths.local(source, field)
    check_is_no_pointer(path, f"{field}: {str(path)!r}")
    if path.suffix.lower() == ".npz":
        images = fit(_npz_images(path, field), f"{field}: 'images' of {str(path)!r}")
        return [f"{i:05}" for i in range(len(images))], images
    if path.is_file() and not zipfile.is_zipfile(path) and path.suffix.lower() != ".zip":
        refuse_other_format(path.name, field)
        content = read_image(path.name, functools.partial(path.open, "rb"), field)
        files = [(path.name, content or b"")]
    else:
        files = image_files(str(path), field)
    names, images = [], []
    for name, content in files:
        said = f"{field}: {name!r}"
        names.append(name)
        images.append(fit(decode(content, said)[None], said))
    if not names:
        raise ValueError(f"{field}: {str(path)!r} has no image ({KINDS})")
    return names, np.concatenate(images)


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Grey images `[N, H, W]` or `[N, H, W, C]` with 1 or 3 channels; others as they are."""
    if images.ndim == 3 and channels == 3:
        images = images[..., None]
    if images.ndim == 4 and images.shape[-1] == 1:
        return np.repeat(images, channels, axis=-1)
    if images.ndim == 4 and images.shape[-1] == 3 and channels == 1:
        return images[..., :1] if (images == images[..., :1]).all() else images
    return images


def as_grey(images: np.ndarray) -> np.ndarray:
    """uint8 `[N, H, W, 3]` as `[N, H, W, 1]`, by the luma of ITU-R BT.601; others as they are."""
    if images.shape[-1] != 3:
        return images
    luma = images @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.round(luma).astype(np.uint8)[..., None]


def as_batch(images: np.ndarray, name: str) -> np.ndarray:
    """Images `[N, H, W]` or `[N, H, W, C]` as `[N, H, W, C]`.

    Raises:
      ValueError: they are of another shape, or none. It says `name` for the images.
    """
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not len(images):
        raise ValueError(
            f"{name}: an array of shape {images.shape} has no images; it must be [N, H, W, C] "
            "or [N, H, W] with N at least 1"
        )
    return images


def check_values(images: np.ndarray, name: str) -> None:
    """Refuses images that are neither uint8 nor float in [0, 1].

    Raises:
      ValueError: they are so. It says `name` for the images.
    """
    if images.dtype == np.uint8:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"{name}: {images.dtype} is not allowed; it must be uint8 or float")
    if not (images.min() >= 0 and images.max() <= 1):  # NaN neither
        raise ValueError(
            f"{name}: values from {images.min()} to {images.max()} are not allowed; floats "
            "must be in [0, 1]"
        )


def _npz_images(path: Path, field: str) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"{field}: there is no file {str(path)!r}")
    (images,) = read_npz(path, ["images"], field)
    return images
