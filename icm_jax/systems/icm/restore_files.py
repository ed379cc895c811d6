"""A trained model on images in files: reads them, restores them and writes what came of it."""

import csv
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from icm_jax import paths
from icm_jax.data import own, to_bytes
from icm_jax.systems.icm.diagnosis import Diagnosis
from icm_jax.systems.icm.restore import Restorer
from icm_jax.training.workdir import reasons


def restore_files(
    restorer: Restorer, source: str | os.PathLike, output: str | os.PathLike
) -> Diagnosis:
    """Restores the images in `source` and writes, in the folder `output`:

    - `restored.npz`: the arrays of a `Diagnosis`, of which none is left as it is;
    - `restored.csv`: a row an image, in the same order: its name, and all but the images;
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
    output = paths.local(output, "output")
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise ValueError(f"output: {str(output)!r} is there and not empty; choose a new folder")
    names, images = read(restorer, source)
    pngs = _png_names(names)
    # Before the work, so that none is lost where nothing can be written.
    with reasons(output):
        (output / "images").mkdir(parents=True, exist_ok=True)
    restored = restorer.diagnose(images, leave=False)
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
    channels = restorer.shape[-1]

    def fit(images: np.ndarray, said: str) -> np.ndarray:
        return restorer.fitted(own.with_channels(images, channels), said)

    return own.read(source, fit)


def _write(output: Path, names: Sequence[str], pngs: Sequence[str], restored: Diagnosis) -> None:
    np.savez(output / "restored.npz", **restored._asdict())
    with (output / "restored.csv").open(
        "w", newline="", encoding="utf-8", errors="surrogateescape"
    ) as file:
        rows = csv.writer(file)
        columns = {name: of for name, of in restored._asdict().items() if name != "images"}
        rows.writerow(("name", *columns))
        rows.writerows(zip(names, *columns.values(), strict=True))
    pixels = to_bytes(restored.images)
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
