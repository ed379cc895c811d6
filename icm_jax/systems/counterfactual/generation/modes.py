"""What a finished generator is used for from the command line."""

from pathlib import Path

import jax
import numpy as np
from PIL import Image

from icm_jax import paths
from icm_jax.data import own
from icm_jax.systems.counterfactual.generation.use import Generator, load, stylize, to_pixels
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.kind import Use
from icm_jax.training import finished, output_folder, reasons

_COUNT = 10_000  # images, where none is said
_SHEET, _COLUMNS = 100, 10  # images of the sheet, and of a row of it
_FRAMES = 48  # of a walk
_LONGEST = 128  # pixels a side of an image that is stylized
_SEEDS = 2**32


def _generate(
    workdir: Path,
    source: None,
    output: Path,
    labels: str = "any,any,any",
    count: int = _COUNT,
    seed: int = 0,
) -> str:
    """Writes `counterfactuals.npz`, a sheet of the first hundred, and a walk of each mechanism."""
    del source
    generator = load(workdir)
    chosen = parse_labels(labels, generator.classes)
    if count < 1:
        raise ValueError(f"--count: {count} is not allowed; it must be at least 1")
    _check_seed(seed)
    folder = output_folder(output)
    drawn = generator.draw(count, seed, chosen)
    with reasons(folder):
        with (
            paths.replaced(folder / "counterfactuals.npz") as unfinished,
            unfinished.open("wb") as file,
        ):
            np.savez_compressed(file, **drawn)
        _save(_sheet(drawn["images"][:_SHEET]), folder / "counterfactuals.png")
        for mechanism in Each._fields:
            _save_walks(generator, mechanism, folder / f"walk_{mechanism}.gif", seed)
    said = f"{count} image{'s' * (count > 1)} generated"
    return f"{said}\n{folder / 'counterfactuals.npz'}"


def parse_labels(text: str, classes: int) -> tuple[int | None, ...]:
    """The labels of shape, foreground and background that `--labels` chooses; None is any.

    Raises:
      ValueError: they are not three of 0 to `classes` - 1 and `any`.
    """
    words = [word.strip() for word in text.split(",")]
    known = {"any": None, **{str(label): label for label in range(classes)}}
    if len(words) != len(Each._fields) or not known.keys() >= set(words):
        raise ValueError(
            f"--labels: {text!r} is not allowed; it must be three, of shape, foreground and "
            f"background, each 0 to {classes - 1} or any, such as 1,any,0"
        )
    return tuple(known[word] for word in words)


def _export(workdir: Path, source: None, output: Path) -> str:
    del source
    load(workdir).export(output)
    return str(output)


def _stylize(workdir: Path, source: Path, output: Path, seed: int = 0) -> str:
    """Writes an image in the foreground texture of each class, at most ten, and a sheet of them."""
    generator, config = load(workdir), finished.read(workdir).config
    _check_seed(seed)
    image = _read_image(source)
    folder = output_folder(output)
    labels = np.arange(min(generator.classes, _COLUMNS), dtype=np.int32)
    noise = jax.random.normal(jax.random.key(seed), (len(labels), generator.latent))
    textures = np.asarray(
        to_pixels(generator.generate(noise, labels, labels, labels, seed)["foreground"])
    )
    images = np.stack([image] * len(labels))
    made = stylize(images, textures, vgg16_file=config.losses.vgg16)
    with reasons(folder):
        for label, stylized in zip(labels, made, strict=True):
            _save(stylized, folder / f"stylized_{label}.png")
        _save(np.concatenate([image, *made], axis=1), folder / "stylized.png")
        _save(np.concatenate(list(textures), axis=1), folder / "textures.png")
    return f"one image stylized {len(labels)} times\n{folder / 'stylized.png'}"


def _read_image(source: Path) -> np.ndarray:
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


def _check_seed(seed: int) -> None:
    if not 0 <= seed < _SEEDS:
        raise ValueError(f"--seed: {seed} is not allowed; it must be 0 to {_SEEDS - 1}")


def _save(pixels: np.ndarray, path: Path) -> None:
    """Writes a PNG, whole."""
    with paths.replaced(path) as unfinished:
        Image.fromarray(pixels).save(unfinished, "PNG")


def _save_walks(generator: Generator, mechanism: str, path: Path, seed: int) -> None:
    """Writes the walks of up to ten classes, side by side, as an animation."""
    classes = range(min(generator.classes, _COLUMNS))
    walks = np.concatenate(
        [generator.walk(mechanism, label, _FRAMES, seed) for label in classes], axis=2
    )
    first, *others = (Image.fromarray(frame) for frame in walks)
    with paths.replaced(path) as unfinished:
        first.save(unfinished, "GIF", save_all=True, append_images=others, duration=80, loop=0)


def _sheet(images: np.ndarray) -> np.ndarray:
    """Images `[N, S, S, 3]` in rows of ten, the last filled up with white."""
    columns = min(len(images), _COLUMNS)
    blank = np.full((-len(images) % columns, *images.shape[1:]), 255, np.uint8)
    rows = np.concatenate([images, blank]).reshape(-1, columns, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), 1) for row in rows])


USES = {
    "generate": Use(_generate, options=("labels", "count", "seed")),
    "export": Use(_export),
    "stylize": Use(_stylize, takes_input=True, options=("seed",)),
}
