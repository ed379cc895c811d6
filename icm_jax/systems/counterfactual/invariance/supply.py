"""Where images come from that are no originals: a generator, or images that one has made."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import collectives, paths
from icm_jax.config import from_workdir
from icm_jax.data.image_files import check_is_no_pointer
from icm_jax.data.npz import names_in_npz, read_npz
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.biased.colors import to_signed
from icm_jax.systems.counterfactual.gan.use import FinishedGan
from icm_jax.systems.counterfactual.gan.use import load as load_gan
from icm_jax.systems.counterfactual.generate import draw_labels, draw_noise, generate
from icm_jax.systems.counterfactual.generation import use
from icm_jax.systems.counterfactual.generation.use import Generator
from icm_jax.systems.counterfactual.invariance.numbered import make_numbered


class Supply(NamedTuple):
    """Images with labels, made or drawn within the step.

    Attributes:
      arrays: what they are made of: the variables of a generator, or images.
      make: `(arrays, key, B, axis_name) -> images, labels`, this device's share of B: float32
        `[b, S, S, 3]` in [-1, 1], and int32 `[b]`.
      classes: how many there are.
      size: pixels a side, S.
      whole: whether it makes all classes; a file may lack the last ones.
      names: of the classes, where they are known.
    """

    arrays: PyTree
    make: Callable[[PyTree, jax.Array, int, str | None], tuple[jax.Array, jax.Array]]
    classes: int
    size: int
    whole: bool = True
    names: tuple[str, ...] = ()

    def classes_of(self, known: int) -> int:
        """How many classes it stands for, beside data that have `known` of them."""
        return self.classes if self.whole else max(self.classes, known)


def load(
    place: str | os.PathLike,
    field: str,
    count: int = 0,
    per_shape: int = 1,
    gan: bool = False,
) -> Supply:
    """The supply that a config names.

    Args:
      place: of a generator, see `use.load`, or of images that `--mode=generate` wrote, an `.npz`.
      field: what gives it, for errors.
      count: see `of_generator`.
      per_shape: likewise.
      gan: whether it is to be a finished conditional GAN, and no counterfactuals.

    Raises:
      ValueError: the file is of something else, or of images, whose number is what it is, or the
        run is of the other kind.
      FileNotFoundError: there is nothing at `place`.
      WorkdirError, CheckpointError: the generator's run is not finished, or damaged.
    """
    path = paths.local(place, field)
    if not path.exists():
        raise FileNotFoundError(f"{field}: {str(path)!r} is not there")
    if gan != _is_gan(path):
        wanted = "conditional_gan" if gan else "counterfactual"
        raise ValueError(
            f"{field}: {str(path)!r} is not allowed for this method; it must be of "
            f"configs/{wanted}.py"
        )
    if gan:
        return of_gan(load_gan(path))
    if path.suffix == ".npz" and path.is_file():
        check_is_no_pointer(path, f"{field}: {str(path)!r}")
        if "images" in names_in_npz(path, field):
            if count:
                raise ValueError(
                    f"counterfactuals.count: {count} is not allowed with a file of images; it must "
                    "be 0, which takes all of them"
                )
            return _of_file(path, field)
    return of_generator(use.load(place, field), count, per_shape)


def _is_gan(path: Path) -> bool:
    """Whether a folder is that of a run of a conditional GAN."""
    return path.is_dir() and from_workdir(path).get("system") == "conditional_gan"


def of_generator(generator: Generator, count: int = 0, per_shape: int = 1) -> Supply:
    """Counterfactuals by a generator, none of which is kept.

    Args:
      generator: its variables are the supply's `arrays`.
      count: N, of how many a batch is drawn, with replacement: number i is always made alike, by a
        key of its own. 0: each is made once.
      per_shape: how many that stand side by side among these have the same shape, and textures of
        their own.
    """
    without = generator._replace(variables=None)
    make = functools.partial(_generate, without)
    if count:
        make = functools.partial(_draw_of_many, without, count, per_shape)
    return Supply(
        generator.variables, make, generator.classes, generator.size, names=generator.names
    )


def _generate(
    generator: Generator, variables: PyTree, key: jax.Array, count: int, axis_name: str | None
) -> tuple[jax.Array, jax.Array]:
    """Images whose label is that of their shape; textures are of other labels, drawn apart."""
    noise_key, label_key, shift_key = jax.random.split(key, 3)
    noise = draw_noise(noise_key, count, generator.latent)
    labels = draw_labels(label_key, count, generator.classes)
    noise, labels = collectives.share((noise, labels), axis_name)
    shift_key = collectives.own_key(shift_key, axis_name)
    made = generate(generator.mechanisms, variables, noise, labels, shift_key)
    return made.images, labels.shape


def of_gan(gan: FinishedGan) -> Supply:
    """Images of a conditional GAN, none of which is kept."""
    make = functools.partial(_apply_gan, gan._replace(variables=None))
    return Supply(gan.variables, make, gan.generator.classes, gan.generator.size)


def _apply_gan(
    gan: FinishedGan, variables: PyTree, key: jax.Array, count: int, axis_name: str | None
) -> tuple[jax.Array, jax.Array]:
    noise_key, label_key = jax.random.split(key)
    noise = jax.random.normal(noise_key, (count, gan.latent))
    labels = jax.random.randint(label_key, (count,), 0, gan.generator.classes)
    noise, labels = collectives.share((noise, labels), axis_name)
    return gan.generator.apply(variables, noise, labels), labels


def _draw_of_many(
    generator: Generator,
    many: int,
    per_shape: int,
    variables: PyTree,
    key: jax.Array,
    count: int,
    axis_name: str | None,
) -> tuple[jax.Array, jax.Array]:
    index = collectives.share(jax.random.randint(key, (count,), 0, many), axis_name)
    return make_numbered(generator, per_shape, variables, index)


def _of_file(path: Path, field: str) -> Supply:
    images, (labels,) = read_stored(path, field, ("shape",))
    arrays = {"images": images, "labels": labels}
    return Supply(arrays, draw_stored, int(labels.max()) + 1, images.shape[1], whole=False)


def read_stored(
    path: Path, field: str, names: Sequence[str]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Images that `--mode=generate` wrote, uint8 `[N, S, S, 3]`, and labels, int32 `[N]` each.

    Args:
      path: of the `.npz`.
      field: what gives it, for errors.
      names: of the mechanisms whose labels are wanted.

    Raises:
      ValueError: the file is damaged, or of something else.
    """
    images, *labels = read_npz(path, ["images", *names], field)
    size, said = images.shape[1:2], f"{field}: {str(path)!r} has"
    if (
        images.dtype != np.uint8
        or images.shape != (len(images), *size, *size, 3)
        or not len(images)
    ):
        raise ValueError(
            f"{said} images {images.dtype} {list(images.shape)}; they must be uint8 [N, S, S, 3]"
        )
    for name, of in zip(names, labels, strict=True):
        if of.dtype.kind not in "iu" or of.shape != (len(images),) or of.min() < 0:
            raise ValueError(
                f"{said} labels {name} {of.dtype} {list(of.shape)}; they must be whole numbers "
                f"from 0 on, {len(images)} as there are images"
            )
    return images, [of.astype(np.int32) for of in labels]


def draw_stored(
    arrays: PyTree, key: jax.Array, count: int, axis_name: str | None
) -> tuple[jax.Array, PyTree]:
    """Images of a file, with replacement, as those of a data set are drawn; see `Supply.make`."""
    index = jax.random.randint(key, (count,), 0, len(arrays["images"]))
    index = collectives.share(index, axis_name)
    drawn = jax.tree.map(lambda of: jnp.asarray(of)[index], arrays)
    return to_signed(drawn["images"]), drawn["labels"]
