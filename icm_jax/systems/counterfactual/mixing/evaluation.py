"""How often images show a digit in a colour that no training image of that digit has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import streams
from icm_jax.chunks import in_chunks
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.counterfactual.biased import BiasedData, Split
from icm_jax.systems.counterfactual.biased.colors import MEANS
from icm_jax.systems.counterfactual.generation.use import Generator
from icm_jax.systems.counterfactual.mixing.network import VAE

_CHUNK = 100
_QUICK = 200  # samples in quick evaluations
_INK = 0.25  # brightness of a channel from which on a pixel is ink; colours are brighter
_LEAST = 10  # pixels of ink that make a shape


class Found(NamedTuple):
    """What is said of N images.

    Attributes:
      digit: int32 `[N]`, which digit the shape is.
      color: int32 `[N]`, whose mean colour is nearest to that of the ink.
      shown: bool `[N]`, whether there is enough ink for a shape.
    """

    digit: np.ndarray
    color: np.ndarray
    shown: np.ndarray

    def mixed(self) -> float | None:
        """The share of the images with a shape whose colour is another class's; None of none."""
        there = self.shown
        return float((self.digit != self.color)[there].mean()) if there.any() else None

    def counts(self, classes: int) -> np.ndarray:
        """How many images there are of each digit in each colour, `[L, L]`."""
        counts = np.zeros((classes, classes), int)
        np.add.at(counts, (self.digit[self.shown], self.color[self.shown]), 1)
        return counts


def judge(
    predict: Callable[[PyTree, jax.Array], jax.Array],
    state: PyTree,
    images: np.ndarray,
    classes: int,
) -> Found:
    """Says what images show: the digit by their ink, black and white, the colour by its mean.

    Args:
      predict: `(state, uint8 [B, H, W, 1]) -> int32 [B]`.
      state: of it.
      images: float `[N, H, W, 3]` in [0, 1].
      classes: L.
    """
    chex.assert_rank(images, 4)
    ink = images.max(axis=-1, keepdims=True) > _INK
    shapes = ink.astype(np.uint8) * np.uint8(255)
    digit = in_chunks(lambda index: predict(state, shapes[index]), len(images), _CHUNK)
    area = ink.sum((1, 2))  # [N, 1]
    mean = (images * ink).sum((1, 2)) / np.maximum(area, 1)
    off = np.square(mean[:, None] - MEANS[None, :classes] / 255).sum(axis=2)
    return Found(digit, off.argmin(axis=1).astype(np.int32), area[:, 0] >= _LEAST)


def evaluate(
    config: ConfigDict,
    network: VAE,
    predict: Callable[[PyTree, jax.Array], jax.Array],
    generator: Generator | None,
    biased: BiasedData,
    state: Any,
    auxiliary: Mapping[str, PyTree],
    complete: bool,
) -> Evaluation:
    """Judges samples; if complete originals and counterfactuals too, and draws the latent space."""
    (judging,) = auxiliary.values()
    variables, count = {"params": state.params}, config.evaluation.images if complete else _QUICK
    key = streams.of_seed(0, SeedStream.EVALUATION)
    latents = np.asarray(jax.random.normal(key, (count, config.vae.latent)))
    decode = jax.jit(lambda latents: network.apply(variables, latents, method=VAE.decode))
    samples = in_chunks(lambda index: decode(latents[index]), count, _CHUNK)
    found = {"samples": judge(predict, judging, samples, biased.classes)}
    scalars = {"mixed": found["samples"].mixed()}
    if not complete:
        return Evaluation(scalars, {}, {})
    originals = _render(biased, biased.train, min(count, len(biased.train.labels)))
    found["originals"] = judge(predict, judging, originals, biased.classes)
    if generator:
        made = generator.draw(count)["images"] / np.float32(255)
        found["counterfactuals"] = judge(predict, judging, made, biased.classes)
    right = found["originals"].digit == biased.train.labels[: len(originals)]
    summary = {
        "set": config.data.set,
        "images": count,
        "mixed": {name: of.mixed() for name, of in found.items()},
        "shown": {name: float(of.shown.mean()) for name, of in found.items()},
        "combinations": {name: of.counts(biased.classes).tolist() for name, of in found.items()},
        "digits_told": float(right.mean()),
    }
    arrays = {"samples": samples[:100], **_latent_space(network, variables, biased, count)}
    return Evaluation(scalars, summary, arrays)


def principal(points: np.ndarray) -> np.ndarray:
    """The two directions of largest variance of points `[N, Z]`, as coordinates `[N, 2]`."""
    centred = points - points.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    return centred @ directions.T


def _latent_space(
    network: VAE, variables: PyTree, biased: BiasedData, count: int
) -> dict[str, np.ndarray]:
    """Test images, whose colours are any class's, in the latent space, with digits and colours."""
    count = min(count, len(biased.test.labels))
    images = _render(biased, biased.test, count)
    encode = jax.jit(lambda images: network.apply(variables, images, method=VAE.encode)[0])
    means = in_chunks(lambda index: encode(images[index]), count, _CHUNK)
    return {
        "latents": principal(means),
        "digits": biased.test.labels[:count],
        "colors": biased.test.attributes["foreground"][:count],
    }


def _render(biased: BiasedData, split: Split, count: int) -> np.ndarray:
    """The first images of a split, float32 `[N, S, S, 3]` in [0, 1]."""
    key = streams.of_seed(0, SeedStream.EVALUATION)

    def call(index: np.ndarray) -> jax.Array:
        parts = {name: jnp.asarray(part[index]) for name, part in split.parts.items()}
        return (biased.render(parts, biased.shared, key) + 1) / 2

    return in_chunks(call, count, _CHUNK)


def headline(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers of a summary by which runs are compared."""
    return {"mixed": summary["mixed"]["samples"]}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study."""
    del records
    return {f"{name} mixed": share for name, share in summary["mixed"].items()}
