"""Beam search: experts applied again and again, until an output looks canonical.

To go on with the winner's output alone does not do: of a digit that was shifted and inverted every
single expert's output scores low, that of the right one often lower than others, since the
discriminator knows neither shifted nor inverted digits. So the best few outputs are kept, and the
last application decides.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import mechanisms
from icm_jax.chunks import in_chunks
from icm_jax.systems.icm.restoration import psnr

# images float32 [B, H, W, C] in [0, 1] -> outputs [E, B, H, W, C] and logits [E, B] of all experts
Experts = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


class Networks(NamedTuple):
    """What is asked about images float32 `[B, H, W, C]` in [0, 1].

    Attributes:
      experts: what all experts make of them, and its logits.
      score: logits `[B]` of the images as they are.
      classify: their classes, int `[B]`.
    """

    experts: Experts
    score: Callable[[jax.Array], jax.Array]
    classify: Callable[[jax.Array], jax.Array]


class Search(NamedTuple):
    """How far experts are applied.

    Attributes:
      limit: K, how often, at least 1.
      width: outputs kept for each image; 1 is the competition's winner, applied greedily.
    """

    limit: int
    width: int


class Followed(NamedTuple):
    """N images along K applications of the experts; entry k is the best that k of them made.

    Attributes:
      scores: float32 `[N, K + 1]`, the discriminator's logits.
      correct: bool `[N, K + 1]`, whether the judge takes the image for what it is.
      psnr: float64 `[N, K + 1]`, in decibels, against the original.
    """

    scores: np.ndarray
    correct: np.ndarray
    psnr: np.ndarray


def follow_pairs(
    networks: Networks,
    bank: Sequence[mechanisms.Mechanism],
    images: np.ndarray,
    labels: np.ndarray,
    search: Search,
    key: jax.Array,
) -> Followed:
    """Follows images that every ordered pair of mechanisms transformed along all applications.

    Args:
      networks: of the run.
      bank: M mechanisms.
      images: float32 `[N, H, W, C]` in [0, 1].
      labels: int32 `[N]`, their classes.
      search: how far.
      key: typed key `[]`, of what is random in the mechanisms.

    Returns:
      M * M * N images: pair by pair, `(i, j)` being number `i * M + j`; `(i, i)` is mechanism i
      alone.

    Raises:
      AssertionError: images and labels are of different numbers.
    """
    chex.assert_rank(images, 4)
    chex.assert_shape(labels, images.shape[:1])
    transform = jax.jit(functools.partial(_transform, tuple(bank)))

    def call(index):
        pair, which = np.divmod(index, len(images))
        originals = images[which]
        chunk_key = jax.random.fold_in(key, index[0])
        transformed = transform(originals, chunk_key, *_split_pairs(pair, len(bank)))
        return _follow(networks, originals, transformed, labels[which], search)

    return in_chunks(call, len(bank) ** 2 * len(images), name="composition")


def _split_pairs(pair: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mechanisms of pairs, int `[B]`: the second is `count`, none, where it is the first."""
    first, second = np.divmod(pair, count)
    return first, np.where(first == second, count, second)


def _transform(
    bank: tuple[mechanisms.Mechanism, ...],
    images: jax.Array,
    key: jax.Array,
    first: jax.Array,
    second: jax.Array,
) -> jax.Array:
    """Each image by two mechanisms, the second of which may be none (see `_split_pairs`)."""
    first_key, second_key = jax.random.split(key)
    images = mechanisms.apply(bank, first_key, images, first)
    return mechanisms.apply((*bank, lambda key, image: image), second_key, images, second)


def _follow(
    networks: Networks,
    originals: np.ndarray,
    transformed: jax.Array,
    labels: np.ndarray,
    search: Search,
) -> Followed:
    seen = [transformed, *apply_repeatedly(networks.experts, transformed, search)]
    scores, classes = ([fn(x) for x in seen] for fn in (networks.score, networks.classify))
    return Followed(
        np.stack(jax.device_get(scores), axis=1),
        np.stack(jax.device_get(classes), axis=1) == labels[:, None],
        np.stack([psnr(x, originals) for x in seen], axis=1),
    )


def apply_repeatedly(experts: Experts, images: jax.Array, search: Search) -> Iterator[jax.Array]:
    """Applies all experts again and again, each time to the outputs that scored best.

    Args:
      experts: what they make of images.
      images: float32 `[B, H, W, C]` in [0, 1].
      search: how often, and how many outputs are kept.

    Yields:
      The best output for each image, float32 `[B, H, W, C]`, after 1, 2, ... applications.

    Raises:
      AssertionError: images are not `[B, H, W, C]`.
    """
    chex.assert_rank(images, 4)
    kept = [images]
    for _ in range(search.limit):
        tried = [experts(x) for x in kept]
        outputs, scores = (jnp.concatenate(parts) for parts in zip(*tried, strict=True))
        best = jnp.argsort(-scores, axis=0)[: search.width]
        kept = list(outputs[best, jnp.arange(len(images))])
        yield kept[0]


def applications(scores: np.ndarray) -> np.ndarray:
    """How often experts are applied: until the output is more likely canonical than not.

    To go on while the score rises is worse: the best of many outputs always scores a little
    higher, and half of a pair undone may score lower than nothing.

    Args:
      scores: float `[N, K + 1]`, logits after 0, 1, ... K applications.

    Returns:
      int64 `[N]` in [0, K]: the first whose logit is at least 0; where there is none, the best.

    Raises:
      AssertionError: `scores` is not a matrix.
    """
    chex.assert_rank(scores, 2)
    canonical = scores >= 0
    return np.where(canonical.any(axis=1), canonical.argmax(axis=1), scores.argmax(axis=1))
