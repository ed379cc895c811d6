"""A trained model on images in files: reads them, restores them and writes what came of it."""

import csv
import functools
import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from icm_jax.data.image_files import (
    KINDS,
    check_is_no_pointer,
    expand_user,
    image_files,
    read_image,
    refuse_other_format,
)
from icm_jax.data.images import decode
from icm_jax.systems.icm.restore import Restored, Restorer
from icm_jax.training.workdir import reasons


def restore_files(
    restorer: Restorer, source: str | os.PathLike, output: str | os.PathLike
) -> Restored:
    """Restores the images in `source` and writes, in the folder `output`:

    - `restored.npz`: `images`, `expert` and `score` as in `Restored`;
    - `restored.csv`: a row an image, in the same order: name, expert, score;
    - `images/`: the restored images as PNG files, under their names, or where these would collide
      or are too long, under the numbers of their rows, from `00000.png`.

    Args:
      restorer: see `icm_jax.restore.load`.
      source: see `read`.
      output: made where there is none.

    Raises:
      ValueError: `output` is not empty; or as `read` and `Restorer` do.
      FileNotFoundError: `source` is not there.
      WorkdirError: `output` cannot be written.
    """
    output = expand_user(output, "output")
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise ValueError(f"output: {str(output)!r} is there and not empty; choose a new folder")
    names, images = read(restorer, source)
    pngs = _png_names(names)
    # Before the work, so that none is lost where nothing can be written.
    with reasons(output):
        (output / "images").mkdir(parents=True, exist_ok=True)
    restored = restorer(images)
    with reasons(output):
        try:
            _write(output, names, pngs, restored)
        except OSError:
            # What is half written would be in the way of the same call.
            for path in output.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            raise
    return restored


def read(restorer: Restorer, source: str | os.PathLike) -> tuple[list[str], np.ndarray]:
    """Reads images that a model can restore.

    Args:
      restorer: the model. Where it was trained on colour, grey images become colour; where on grey,
        those whose three channels are equal become grey.
      source: an image file; a folder or zip of them, with all folders in it; or an `.npz` whose
        array `images` is as in `Restorer.__call__`.

    Returns:
      Names, the paths within `source` or numbers in an `.npz`, and images, float32 in [0, 1] of
      `restorer.padded_shape`.

    Raises:
      ValueError: there is no image, or one is damaged or does not fit the model.
      FileNotFoundError: there is nothing at `source`.
    """
    path = expand_user(source, "input")
    check_is_no_pointer(path, f"input: {str(path)!r}")
    if path.suffix.lower() == ".npz":
        images = _with_channels(_npz_images(path), restorer.shape[-1])
        images = restorer.fitted(images, f"input: 'images' of {str(path)!r}")
        return [f"{i:05}" for i in range(len(images))], images
    if path.is_file() and not zipfile.is_zipfile(path) and path.suffix.lower() != ".zip":
        refuse_other_format(path.name, "input")
        content = read_image(path.name, functools.partial(path.open, "rb"), "input")
        files = [(path.name, content or b"")]
    else:
        files = image_files(str(path), "input")
    names, images = [], []
    for name, content in files:
        said = f"input: {name!r}"
        image = _with_channels(decode(content, said)[None], restorer.shape[-1])
        names.append(name)
        images.append(restorer.fitted(image, said))
    if not names:
        raise ValueError(f"input: {str(path)!r} has no image ({KINDS})")
    return names, np.concatenate(images)


def _with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Grey images `[N, H, W]` or `[N, H, W, C]` with 1 or 3 channels; others as they are."""
    if images.ndim == 3 and channels == 3:
        images = images[..., None]
    if images.ndim == 4 and images.shape[-1] == 1:
        return np.repeat(images, channels, axis=-1)
    if images.ndim == 4 and images.shape[-1] == 3 and channels == 1:
        return images[..., :1] if (images == images[..., :1]).all() else images
    return images


def _npz_images(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"input: there is no file {str(path)!r}")
    try:
        # Pickles, which could run any code, are refused.
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["images"]
    except Exception as error:
        # KeyError, BadZipFile, ValueError, EOFError, zlib.error, ...
        raise ValueError(
            f"input: no array 'images' can be read from {str(path)!r}: {error}"
        ) from error


def _write(output: Path, names: Sequence[str], pngs: Sequence[str], restored: Restored) -> None:
    np.savez(output / "restored.npz", **restored._asdict())
    with (output / "restored.csv").open("w", newline="", errors="surrogateescape") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "expert", "score"))
        rows.writerows(zip(names, restored.expert, restored.score, strict=True))
    pixels = np.round(restored.images * 255).astype(np.uint8)
    for name, image in zip(pngs, pixels, strict=True):
        path = output / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path)


def _png_names(names: Sequence[str]) -> list[str]:
    """Names that end in .png, of which no two are the same file or one a folder of another."""
    ways = (
        [str(PurePosixPath(name).with_suffix(".png")) for name in names],  # a.jpg -> a.png
        [f"{name}.png" for name in names],  # beside a.gif: a.jpg -> a.jpg.png
    )
    return next(filter(_can_be_written, ways), [f"{i:05}.png" for i in range(len(names))])


def _can_be_written(names: Sequence[str]) -> bool:
    # Some file systems do not tell `A` from `a`.
    paths = [PurePosixPath(name.casefold()) for name in names]
    files, folders = set(paths), {folder for path in paths for folder in path.parents}
    longest = max(len(os.fsencode(part)) for name in names for part in name.split("/"))
    return len(files) == len(paths) and not files & folders and longest <= 255
