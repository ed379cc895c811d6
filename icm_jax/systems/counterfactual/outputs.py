"""What generators write when they are used from the command line, and what they are told there."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from icm_jax import paths
from icm_jax.data import own
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.counterfactual.style import stylize
from icm_jax.training import output_folder, reasons

COLUMNS = 10  # images of a row of a sheet
_SHEET = 100  # images of a sheet
_LONGEST = 128  # pixels a side of an image that is stylized
_SEEDS = 2**32


def write_drawn(
    drawn: Mapping[str, np.ndarray], folder: Path, write_more: Callable[[], None]
) -> str:
    """Writes `counterfactuals.npz` and a sheet of the first hundred.

    Args:
      drawn: `images` uint8 `[N, S, S, 3]` and the labels of each mechanism.
      folder: that is there.
      write_more: writes further files into it.

    Returns:
      What to say of it.
    """
    count = len(drawn["images"])
    with reasons(folder):
        with (
            paths.replaced(folder / "counterfactuals.npz") as unfinished,
            unfinished.open("wb") as file,
        ):
            np.savez_compressed(file, **drawn)
        save_png(make_sheet(drawn["images"][:_SHEET]), folder / "counterfactuals.png")
        write_more()
    return f"{count} image{'s' * (count > 1)} generated\n{folder / 'counterfactuals.npz'}"


def write_stylized(
    source: Path, textures: np.ndarray, labels: Sequence[int], output: Path, vgg16_file: str
) -> str:
    """Writes an image in each of N textures, and a sheet of them.

    Args:
      source: of the image.
      textures: uint8 `[N, S, S, 3]`.
      labels: of these, for the names of files.
      output: a new or empty folder.
      vgg16_file: see `style.stylize`.

    Returns:
      What to say of it.
    """
    image = read_image(source)
    folder = output_folder(output)
    made = stylize(np.stack([image] * len(textures)), textures, vgg16_file=vgg16_file)
    with reasons(folder):
        for label, stylized in zip(labels, made, strict=True):
            save_png(stylized, folder / f"stylized_{label}.png")
        save_png(np.concatenate([image, *made], axis=1), folder / "stylized.png")
        save_png(np.concatenate(list(textures), axis=1), folder / "textures.png")
    return f"one image stylized {len(labels)} times\n{folder / 'stylized.png'}"


def check_count(count: int) -> None:
    """Refuses a `--count` below 1."""
    if count < 1:
        raise ValueError(f"--count: {count} is not allowed; it must be at least 1")


def parse_labels(text: str, classes: int, names: Sequence[str] = ()) -> tuple[int | None, ...]:
    """The labels of shape, foreground and background that `--labels` chooses; None is any.

    Raises:
      ValueError: they are not three of `names`, of numbers 0 to `classes` - 1 that are no names of
        others, and `any`. A name with a comma in it stands in quotation marks.
    """
    words = [word.strip() for word in next(csv.reader([text], skipinitialspace=True), [])]
    numbers = {str(label): label for label in range(classes)}
    # Folders called 1, 2 and 3 hold the classes 0, 1 and 2.
    known = {"any": None} | numbers | {name: label for label, name in enumerate(names)}
    if len(words) != len(Each._fields) or not known.keys() >= set(words):
        said = f", {', '.join(names)}" if names else ""
        raise ValueError(
            f"--labels: {text!r} is not allowed; it must be three, of shape, foreground and "
            f"background, each 0 to {classes - 1}{said} or any, such as 1,any,0"
        )
    return tuple(known[word] for word in words)


def read_image(source: Path) -> np.ndarray:
    """The one image at a place, uint8 `[H, W, 3]`, shrunk to `_LONGEST` pixels where it is larger.

    Raises:
      ValueError, FileNotFoundError: there is none or more than one, or it is damaged.
    """

    def fit(images: np.ndarray, said: str) -> np.ndarray:
        images = own.as_batch(own.with_channels(images, 3), said)
        own.check_values(images, said)
        if len(images) != 1 or images.shape[-1] != 3:
            raise ValueError(f"{said}: shape {images.shape} is not allowed; one image is needed")
        pixels = images[0] if images.dtype == np.uint8 else np.round(images[0] * 255)
        image = Image.fromarray(pixels.astype(np.uint8))
        image.thumbnail((_LONGEST, _LONGEST))
        found = np.empty(1, object)  # of any size
        found[0] = np.asarray(image)
        return found

    names, images = own.read(source, fit)
    if len(names) != 1:
        raise ValueError(f"input: {str(source)!r} holds {len(names)} images; give one")
    return images[0]


def check_seed(seed: int) -> None:
    """Refuses a `--seed` that is none."""
    if not 0 <= seed < _SEEDS:
        raise ValueError(f"--seed: {seed} is not allowed; it must be 0 to {_SEEDS - 1}")


def save_png(pixels: np.ndarray, path: Path) -> None:
    """Writes a PNG, whole."""
    with paths.replaced(path) as unfinished:
        Image.fromarray(pixels).save(unfinished, "PNG")


def make_sheet(images: np.ndarray) -> np.ndarray:
    """Images `[N, S, S, 3]` in rows of ten, the last filled up with white."""
    columns = min(len(images), COLUMNS)
    blank = np.full((-len(images) % columns, *images.shape[1:]), 255, np.uint8)
    rows = np.concatenate([images, blank]).reshape(-1, columns, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), 1) for row in rows])
