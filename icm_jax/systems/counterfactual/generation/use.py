"""A finished generator: counterfactuals of labels that are chosen or drawn, from Python."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import exported, paths
from icm_jax.chunks import in_chunks
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.biased import BiasedData
from icm_jax.systems.counterfactual.generate import (
    draw_labels,
    draw_noise,
    generate,
    make_generate,
)
from icm_jax.systems.counterfactual.generation.config import SCHEMA
from icm_jax.systems.counterfactual.generation.state import init_generator, make_networks
from icm_jax.systems.counterfactual.networks.mechanisms import Each, Mechanisms
from icm_jax.systems.counterfactual.pixels import to_pixels
from icm_jax.systems.counterfactual.style import stylize
from icm_jax.systems.counterfactual.weights import authors
from icm_jax.training import finished

__all__ = ["Generator", "check_labels", "load", "stylize", "to_pixels"]

_CHUNK = 100
_CLASSES, _SIZE = 10, 32  # of published generators


class _State(NamedTuple):
    """The part of a `State` that is used; its leaves have the paths that they have there."""

    average: PyTree


class Generator(NamedTuple):
    """A finished generator.

    Attributes:
      mechanisms: its networks.
      variables: of these.
      latent: Z.
      classes: L.
      names: of these; () where they are called by their numbers.
    """

    mechanisms: Mechanisms
    variables: PyTree
    latent: int
    classes: int
    names: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """S, pixels a side."""
        return self.mechanisms.settings.size

    def generate(
        self,
        noise: np.ndarray | jax.Array,
        shape: np.ndarray | jax.Array,
        foreground: np.ndarray | jax.Array,
        background: np.ndarray | jax.Array,
        seed: int = 0,
    ) -> dict[str, jax.Array]:
        """Makes counterfactuals of noise and labels that are given, in one call.

        Args:
          noise: u, float32 `[B, Z]` for all mechanisms, or `[B, 3, Z]`: for each its own.
          shape: label of the shape, int `[B]`, 0 to L - 1.
          foreground: likewise.
          background: likewise.
          seed: of the cyclic shifts of textures.

        Returns:
          What `Counterfactuals` has, by name.

        Raises:
          ValueError: a label is none of the L.
        """
        labels = Each(*(np.asarray(label, np.int32) for label in (shape, foreground, background)))
        for name, label in labels._asdict().items():
            check_labels(label, self.classes, name)
        noise = jnp.asarray(noise, jnp.float32)
        if noise.ndim == 2:
            noise = jnp.repeat(noise[:, None], 3, axis=1)
        of_each = Each(*jnp.moveaxis(noise, 1, 0))
        make = make_generate(self.mechanisms)
        return make(self.variables, of_each, labels, jax.random.key(seed))._asdict()

    def draw(self, count: int, seed: int = 0, labels: Sequence[int | None] = (None,) * 3) -> dict:
        """Draws counterfactuals: `images` uint8 `[N, S, S, 3]` and the labels int32 `[N]` of each.

        Of one seed and choice of labels a smaller count draws the first of a larger one.

        Args:
          count: N, at least 1.
          seed: of noise, labels and shifts.
          labels: of shape, foreground and background; None draws one for each image.

        Returns:
          `images`, and `shape`, `foreground`, `background`, the labels.

        Raises:
          ValueError: a label is none of the L, or `count` is below 1.
        """
        check_chosen(labels, self.classes)
        if count < 1:
            raise ValueError(f"count: {count} is not allowed; it must be at least 1")
        fixed = self.mechanisms, self.latent, self.classes, Each(*labels)
        key = jax.random.key(seed)

        def call(index: np.ndarray) -> dict[str, jax.Array]:
            return _draw_chunk(*fixed, self.variables, key, index[0])

        return in_chunks(call, count, _CHUNK, "images")

    def walk(self, mechanism: str, label: int, frames: int = 48, seed: int = 0) -> np.ndarray:
        """Walks round a circle in one mechanism's noise, the others standing still.

        Args:
          mechanism: 'shape', 'foreground' or 'background'.
          label: of all three.
          frames: N, the last of which leads to the first.
          seed: of the noise.

        Returns:
          uint8 `[N, S, S, 3]`.

        Raises:
          ValueError: there is no such mechanism, or the label is none of the L.
        """
        check_mechanism(mechanism)
        check_labels(np.int32(label), self.classes, "label")
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
        return np.asarray(to_pixels(jnp.concatenate(images)))

    def export(self, path: str | os.PathLike) -> None:
        """Writes the generator as one file that `jax.export.deserialize` reads.

        It is a function of noise float32 `[b, 3, Z]`, the labels of shape, foreground and
        background, int32 `[b]` each, and the seed of the shifts, uint32. It returns a dict as
        `generate` does.

        Raises:
          ValueError, WorkdirError: as `icm_jax.exported.write`.
        """

        def made(noise: jax.Array, *others: jax.Array) -> dict[str, jax.Array]:
            *labels, seed = others
            of_each, key = Each(*jnp.moveaxis(noise, 1, 0)), jax.random.key(seed)
            made = generate(self.mechanisms, self.variables, of_each, Each(*labels), key)
            return made._asdict()

        label, seed = jax.ShapeDtypeStruct((None,), jnp.int32), jax.ShapeDtypeStruct((), jnp.uint32)
        exported.write(made, (3, self.latent), path, [label] * 3 + [seed])


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
    if (system := run.config.get("system")) != "counterfactual":
        raise ValueError(
            f"{field}: {str(path)!r} is a run of {system!r}; it must be one of "
            "configs/counterfactual.py"
        )
    run.check(SCHEMA)
    classes, size = run.said("classes"), run.said("size")
    networks = make_networks(run.config, classes, size)

    def init(key: jax.Array) -> _State:
        return _State(init_generator(networks, key))

    variables = jax.device_put(run.saved().state(init).average)
    names = tuple(run.summary.get("names", ()))
    return Generator(networks.mechanisms, variables, networks.latent, classes, names)


def _load_published(path: Path, field: str) -> Generator:
    networks = make_networks(SCHEMA.defaults(), _CLASSES, _SIZE)
    template = jax.eval_shape(functools.partial(init_generator, networks), jax.random.key(0))
    variables = jax.device_put(authors.load(path, template, field))
    return Generator(networks.mechanisms, variables, networks.latent, _CLASSES)


def check_suits(
    place: str, classes: int, size: int, data: BiasedData, names: Sequence[str] = ()
) -> None:
    """Refuses a generator, or what one has made, of other data.

    Args:
      place: what the field `generator` says.
      classes: of the generator.
      size: of its images, pixels a side.
      data: what it is to be used with.
      names: of its classes, where they are known.

    Raises:
      ValueError: it has other classes, or another number of pixels.
    """
    pairs = [(classes, data.classes, "classes"), (size, data.size, "pixels a side")]
    if names and data.names:
        pairs.append((", ".join(names), ", ".join(data.names), "as classes"))
    for theirs, ours, what in pairs:
        if theirs != ours:
            raise ValueError(
                f"generator: {place!r} makes {theirs} {what}, the data have {ours}; choose one "
                "that was trained on them"
            )


def check_chosen(labels: Sequence[int | None], classes: int) -> None:
    """Refuses labels of shape, foreground and background, None for any, that there are not.

    Raises:
      ValueError: as `check_labels`.
    """
    for name, label in zip(Each._fields, labels, strict=True):
        if label is not None:
            check_labels(np.int32(label), classes, name)


def check_mechanism(name: str) -> None:
    """Raises ValueError if there is no such mechanism."""
    if name not in Each._fields:
        raise ValueError(
            f"mechanism: {name!r} is not allowed; it must be one of {', '.join(Each._fields)}"
        )


def check_labels(labels: np.ndarray, classes: int, name: str) -> None:
    """Refuses labels that there are not.

    Raises:
      ValueError: one is not 0 to `classes` - 1; it says `name` for them.
    """
    if ((labels < 0) | (labels >= classes)).any():
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise ValueError(f"{name}: {wrong} is not allowed; it must be a label, 0 to {classes - 1}")


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _draw_chunk(
    mechanisms: Mechanisms,
    latent: int,
    classes: int,
    chosen: Each,
    variables: PyTree,
    key: jax.Array,
    start: jax.Array,
) -> dict[str, jax.Array]:
    """The `_CHUNK` counterfactuals from number `start` on; labels that are None are drawn."""
    noise_key, label_key, shift_key = jax.random.split(jax.random.fold_in(key, start), 3)
    noise = draw_noise(noise_key, _CHUNK, latent)
    drawn = draw_labels(label_key, _CHUNK, classes)
    labels = Each(
        *(
            of if label is None else jnp.full_like(of, label)
            for of, label in zip(drawn, chosen, strict=True)
        )
    )
    made = generate(mechanisms, variables, noise, labels, shift_key)
    return {"images": to_pixels(made.images), **labels._asdict()}


def _one(tree: PyTree, index: int) -> PyTree:
    """The arrays of one image, `[1, ...]`."""
    return jax.tree.map(lambda array: array[index : index + 1], tree)
