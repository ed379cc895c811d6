"""What is made of an autoencoder: samples, how they are judged, and its latent space."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import streams
from icm_jax.chunks import in_chunks
from icm_jax.evaluation.projection import principal_plane
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.counterfactual.biased import BiasedData, Split
from icm_jax.systems.counterfactual.generation.use import Generator
from icm_jax.systems.counterfactual.mixing.judging import Judgement, judge, learn_colors
from icm_jax.systems.counterfactual.mixing.network import VAE
from icm_jax.systems.counterfactual.pixels import to_unit

_CHUNK = 100
_QUICK = 200  # samples in quick evaluations
_SHOWN = 100  # samples in the picture


class Examined(NamedTuple):
    """What is evaluated, and by whom.

    Attributes:
      network: the autoencoder.
      tell: `(state, uint8 [B, H, W, 1]) -> float32 [B, L]`, probabilities of digits.
      generator: whose counterfactuals are judged beside, or None.
      images: how many are judged of each kind.
    """

    network: VAE
    tell: Callable[[PyTree, jax.Array], jax.Array]
    generator: Generator | None
    images: int


def evaluate(
    examined: Examined,
    biased: BiasedData,
    state: Any,
    auxiliary: Mapping[str, PyTree],
    complete: bool,
) -> Evaluation:
    """Judges samples; if complete originals and counterfactuals too, and draws the latent space."""
    (judging,) = auxiliary.values()
    train, classes = biased.train, biased.classes
    colors = learn_colors(train.attributes["foreground_color"], train.labels, classes)

    def judged(images: np.ndarray) -> Judgement:
        return judge(lambda shapes: examined.tell(judging, shapes), colors, images)

    variables, network = {"params": state.learner.parameters.params}, examined.network
    samples = _sample(network, variables, examined.images if complete else _QUICK)
    found = {"samples": judged(samples)}
    scalars = {"mixed": found["samples"].mixed()}
    if not complete:
        return Evaluation(scalars, {}, {})
    originals, tests = (_render(biased, of, examined.images) for of in (train, biased.test))
    means = _apply(_encode, network, variables, originals)
    found["reconstructions"] = judged(_apply(_decode, network, variables, means))
    found["training images"] = judged(originals)
    found["test images"] = judged(tests)
    if examined.generator:
        made = examined.generator.draw(examined.images)["images"] / np.float32(255)
        found["counterfactuals"] = judged(made)
    right = found["training images"].digit == train.labels[: len(originals)]
    summary = {
        "images": examined.images,
        "mixed": {name: of.mixed() for name, of in found.items()},
        "shown": {name: float(of.shown.mean()) for name, of in found.items()},
        "combinations": {name: of.counts(classes).tolist() for name, of in found.items()},
        "digits_told": float(right.mean()),
    }
    arrays = {
        "samples": samples[:_SHOWN],
        "unseen": found["samples"].unseen[:_SHOWN],
        "latents": principal_plane(_apply(_encode, network, variables, tests)),
        "digits": biased.test.labels[: len(tests)],
        "colors": biased.test.attributes["foreground"][: len(tests)],
    }
    return Evaluation(scalars, summary, arrays)


def _sample(network: VAE, variables: PyTree, count: int) -> np.ndarray:
    """What is decoded of latents that are drawn from the prior, the same at each call."""
    key = streams.of_seed(0, SeedStream.EVALUATION)
    latents = np.asarray(jax.random.normal(key, (count, network.latent)))
    return _apply(_decode, network, variables, latents)


def _apply(
    function: Callable[..., jax.Array], network: VAE, variables: PyTree, inputs: np.ndarray
) -> np.ndarray:
    """What `_decode` or `_encode` makes of all inputs `[N, ...]`."""
    call = functools.partial(function, network, variables)
    return in_chunks(lambda index: call(inputs[index]), len(inputs), _CHUNK)


@functools.partial(jax.jit, static_argnums=0)
def _decode(network: VAE, variables: PyTree, latents: jax.Array) -> jax.Array:
    """Images float32 `[B, 32, 32, 3]` in [0, 1] of latents `[B, Z]`: the means of their pixels."""
    return jax.nn.sigmoid(network.apply(variables, latents, method=VAE.decode))


@functools.partial(jax.jit, static_argnums=0)
def _encode(network: VAE, variables: PyTree, images: jax.Array) -> jax.Array:
    """The mean latents `[B, Z]` of images `[B, 32, 32, 3]` in [0, 1]."""
    return network.apply(variables, images, method=VAE.encode)[0]


def _render(biased: BiasedData, split: Split, most: int) -> np.ndarray:
    """The first images of a split, float32 `[N, S, S, 3]` in [0, 1], `most` or all."""
    key = streams.of_seed(0, SeedStream.EVALUATION)

    def call(index: np.ndarray) -> jax.Array:
        parts = {name: jnp.asarray(part[index]) for name, part in split.parts.items()}
        return to_unit(biased.render(parts, biased.shared, key))

    return in_chunks(call, min(most, len(split.labels)), _CHUNK)


def headline(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers of a summary by which runs are compared."""
    return {"mixed": summary["mixed"]["samples"]}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study."""
    del records
    return {f"{name} mixed": share for name, share in summary["mixed"].items()}
