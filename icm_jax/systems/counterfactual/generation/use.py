"""Use of a finished generator: counterfactual data sets."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from icm_jax import paths, schema
from icm_jax.chunks import in_chunks
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.generate import (
    draw_labels,
    draw_noise,
    make_generate,
)
from icm_jax.systems.counterfactual.generation.config import SCHEMA
from icm_jax.systems.counterfactual.generation.state import init_state, make_networks
from icm_jax.systems.counterfactual.networks.mechanisms import Each, Mechanisms
from icm_jax.systems.counterfactual.weights import authors
from icm_jax.systems.kind import Use
from icm_jax.training import finished, reasons

_COUNT = 10_000  # images that the mode writes
_CHUNK = 100
_FRAMES = 48  # of a walk
_CLASSES, _SIZE = 10, 32  # of published generators


class _Player(NamedTuple):
    """The part of a `Player` that is used; its leaves have the paths that they have there."""

    variables: PyTree


class _State(NamedTuple):
    """The part of a `State` that is used."""

    generator: _Player


class Generator(NamedTuple):
    """A finished generator.

    Attributes:
      mechanisms: its networks.
      variables: of these.
      latent: Z.
      classes: L.
    """

    mechanisms: Mechanisms
    variables: PyTree
    latent: int
    classes: int

    def draw(self, count: int, seed: int = 0, labels: Sequence[int | None] = (None,) * 3) -> dict:
        """Draws counterfactuals: `images` uint8 `[N, S, S, 3]` and the labels int32 `[N]` of each.

        Args:
          count: N, at least 1.
          seed: of noise, labels and shifts.
          labels: of shape, foreground and background; None draws one for each image.

        Returns:
          `images`, and `shape`, `foreground`, `background`, the labels.
        """
        keys = jax.random.split(jax.random.key(seed), 3)
        noise = draw_noise(keys[0], count, self.latent)
        drawn = draw_labels(keys[1], count, self.classes)
        chosen = Each(
            *(
                np.asarray(of) if label is None else np.full(count, label, np.int32)
                for of, label in zip(drawn, labels, strict=True)
            )
        )

        def call(index: np.ndarray) -> jax.Array:
            parts = jax.tree.map(lambda array: array[index], (noise, chosen))
            key = jax.random.fold_in(keys[2], index[0])
            return make(self.variables, *parts, key).images

        make = make_generate(self.mechanisms)
        images = in_chunks(call, count, _CHUNK, "images")
        return {"images": _to_pixels(images), **chosen._asdict()}

    def walk(self, mechanism: str, label: int, frames: int = 48, seed: int = 0) -> np.ndarray:
        """Walks round a circle in one mechanism's noise, the others standing still.

        Args:
          mechanism: 'shape', 'foreground' or 'background'.
          label: of all three.
          frames: N, the last of which leads to the first.
          seed: of the noise.

        Returns:
          uint8 `[N, S, S, 3]`.
        """
        start, other = np.asarray(jax.random.normal(jax.random.key(seed), (2, self.latent)))
        turn = np.linspace(0, 2 * np.pi, frames, endpoint=False, dtype=np.float32)[:, None]
        still = np.tile(start, (frames, 1))
        noise = Each(*[still] * 3)._replace(
            **{mechanism: np.cos(turn) * start + np.sin(turn) * other}
        )
        labels = Each(*[np.full(frames, label, np.int32)] * 3)
        # The shift of textures is drawn for each image: one at a time they are all shifted alike.
        make, key = make_generate(self.mechanisms), jax.random.key(seed)
        each = (_one((noise, labels), frame) for frame in range(frames))
        images = [make(self.variables, *of, key).images for of in each]
        return _to_pixels(np.concatenate(images))


def load(place: str | os.PathLike, field: str = "workdir") -> Generator:
    """The generator of a finished run, or of a file of the published code.

    Args:
      place: the run's folder; of a run of several seeds the folder of one, such as
        `<run>/seed_0`. Or a `.pth` or `.npz` of the published code, of ten classes and 32 pixels.
      field: what gives it, for errors.

    Raises:
      ValueError: there is no config of a generator in it, or the file is of something else.
      FileNotFoundError: there is no such file.
      WorkdirError: the run is not finished, or of several seeds.
      CheckpointError: there is no undamaged checkpoint.
    """
    path = paths.local(place, field)
    if path.suffix in (".pth", ".npz"):
        return _load_published(path, field)
    run = finished.read(path)
    schema.validate(run.config, SCHEMA)
    classes, size = run.said("classes"), run.said("size")
    networks = make_networks(run.config, classes, size)

    def init(key: jax.Array) -> _State:
        return _State(_Player(init_state(networks, size, key).generator.variables))

    variables = jax.device_put(run.saved().state(init).generator.variables)
    return Generator(networks.mechanisms, variables, networks.latent, classes)


def _load_published(path: Path, field: str) -> Generator:
    networks = make_networks(SCHEMA.defaults(), _CLASSES, _SIZE)
    init = functools.partial(init_state, networks, _SIZE)
    template = jax.eval_shape(init, jax.random.key(0)).generator.variables
    variables = jax.device_put(authors.load(path, template, field))
    return Generator(networks.mechanisms, variables, networks.latent, _CLASSES)


def _generate(workdir: Path, source: None, output: Path) -> str:
    """Writes `counterfactuals.npz`, a sheet of the first hundred, and a walk of each mechanism."""
    del source
    generator = load(workdir)
    folder = paths.local(output, "output")
    if folder.is_file():
        raise ValueError(f"output: {str(folder)!r} is a file; choose a folder")
    drawn = generator.draw(_COUNT)
    with reasons(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (
            paths.replaced(folder / "counterfactuals.npz") as unfinished,
            unfinished.open("wb") as file,
        ):
            np.savez_compressed(file, **drawn)
        Image.fromarray(_sheet(drawn["images"][:100])).save(folder / "counterfactuals.png")
        for mechanism in Each._fields:
            _save_walks(generator, mechanism, folder / f"walk_{mechanism}.gif")
    return f"{_COUNT} images generated\n{folder / 'counterfactuals.npz'}"


def _save_walks(generator: Generator, mechanism: str, path: Path) -> None:
    """Writes the walks of up to ten classes, side by side, as an animation."""
    classes = range(min(generator.classes, 10))
    walks = np.concatenate([generator.walk(mechanism, label, _FRAMES) for label in classes], axis=2)
    first, *others = (Image.fromarray(frame) for frame in walks)
    first.save(path, save_all=True, append_images=others, duration=80, loop=0)


def _one(tree: PyTree, index: int) -> PyTree:
    """The arrays of one image, `[1, ...]`."""
    return jax.tree.map(lambda array: array[index : index + 1], tree)


def _to_pixels(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] as uint8."""
    return np.round((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def _sheet(images: np.ndarray) -> np.ndarray:
    """100 images `[100, S, S, 3]` in ten rows."""
    return np.concatenate(
        [np.concatenate(list(row), 1) for row in images.reshape(10, 10, *images.shape[1:])]
    )


USES = {"generate": Use(_generate)}
