"""A trained model on images in files: reads them, restores them and writes what came of it."""

import csv
import functools
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from icm_jax.data.image_files import image_files, read_image
from icm_jax.data.images import decode
from icm_jax.systems.icm.restore import Restored, Restorer
from icm_jax.training.workdir import reasons


def restore_files(
    restorer: Restorer, source: str | os.PathLike, output: str | os.PathLike
) -> Restored:
    """Restores the images in `source` and writes, in the folder `output`:

    - `restored.npz`: `images`, `expert` and `score` as in `Restored`;
    - `restored.csv`: a row an image, in the same order: name, expert, score;
    - `images/`: the restored images as PNG files, under their names.

    Args:
      restorer: see `icm_jax.restore.load`.
      source: see `read`.
      output: made where there is none.

    Raises:
      ValueError: `output` is not empty; or as `read` and `Restorer` do.
      FileNotFoundError: `source` is not there.
      WorkdirError: `output` cannot be written.
    """
    output = Path(output).expanduser()
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise ValueError(f"output: {str(output)!r} is there and not empty; choose a new folder")
    names, images = read(restorer, source)
    restored = restorer(images)
    with reasons(output):
        _write(output, names, restored)
    return restored


def read(restorer: Restorer, source: str | os.PathLike) -> tuple[list[str], np.ndarray]:
    """Reads images that a model can restore.

    Args:
      restorer: the model. Where it was trained on colour, grey image files become colour.
      source: an image file; a folder or zip of them, with all folders in it; or an `.npz` whose
        array `images` is as in `Restorer.__call__`.

    Returns:
      Names, the paths within `source` or numbers in an `.npz`, and images, float32 in [0, 1] of
      `restorer.padded_shape`.

    Raises:
      ValueError: there is no image, or one is damaged or does not fit the model.
      FileNotFoundError: there is nothing at `source`.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() == ".npz":
        images = restorer.fitted(_npz_images(path), f"input: 'images' of {str(path)!r}")
        return [f"{i:05}" for i in range(len(images))], images
    if path.is_file() and not zipfile.is_zipfile(path):
        content = read_image(path.name, functools.partial(path.open, "rb"), "input")
        files = [(path.name, content or b"")]
    else:
        files = image_files(str(path), "input")
    names, images = [], []
    for name, content in files:
        said = f"input: {name!r}"
        image = decode(content, said)[None]
        if image.shape[-1] == 1:
            image = np.repeat(image, restorer.shape[-1], axis=-1)
        names.append(name)
        images.append(restorer.fitted(image, said))
    if not names:
        raise ValueError(f"input: {str(path)!r} has no image (PNG, JPEG, GIF or BMP)")
    return names, np.concatenate(images)


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


def _write(output: Path, names: Sequence[str], restored: Restored) -> None:
    output.mkdir(parents=True, exist_ok=True)
    np.savez(output / "restored.npz", **restored._asdict())
    with (output / "restored.csv").open("w", newline="", errors="surrogateescape") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "expert", "score"))
        rows.writerows(zip(names, restored.expert, restored.score, strict=True))
    pixels = np.round(restored.images * 255).astype(np.uint8)
    for name, image in zip(_png_names(names), pixels, strict=True):
        path = output / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path)


def _png_names(names: Sequence[str]) -> list[str]:
    """Names that end in .png and are as different as those given (`a.jpg` and `a.gif`, say)."""
    changed = [str(PurePosixPath(name).with_suffix(".png")) for name in names]
    return changed if len(set(changed)) == len(names) else [f"{name}.png" for name in names]
