"""Losses of a Counterfactual Generative Network: one for each image, reduced elsewhere."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from icm_jax.systems.counterfactual.masks import FRAME

_GRAM_SCALE = 5e3  # of the published code


class Adversarial(NamedTuple):
    """Losses `[B]` of scores `[B]`.

    Attributes:
      fooling: of the mechanisms, by the scores of their images.
      real: of the discriminator, by those of real ones.
      made: of the discriminator, by those of made ones.
    """

    fooling: Callable[[jax.Array], jax.Array]
    real: Callable[[jax.Array], jax.Array]
    made: Callable[[jax.Array], jax.Array]


def least_squares(scores: jax.Array, target: float) -> jax.Array:
    """Squared distance of scores `[B]` from a target (LSGAN, Mao et al. 2017), `[B]`."""
    chex.assert_rank(scores, 1)
    return jnp.square(scores - target)


def hinge(scores: jax.Array, sign: int) -> jax.Array:
    """By how much scores `[B]` fall short of 1 on the side of a sign (Lim and Ye 2017), `[B]`."""
    chex.assert_rank(scores, 1)
    return jax.nn.relu(1 - sign * scores)


ADVERSARIAL = {
    "hinge": Adversarial(
        fooling=lambda scores: -scores,
        real=functools.partial(hinge, sign=1),
        made=functools.partial(hinge, sign=-1),
    ),
    "least_squares": Adversarial(
        fooling=functools.partial(least_squares, target=1.0),
        real=functools.partial(least_squares, target=1.0),
        made=functools.partial(least_squares, target=0.0),
    ),
    # Of logits (Goodfellow et al. 2014, with -log D for the generator).
    "cross_entropy": Adversarial(
        fooling=lambda scores: jax.nn.softplus(-scores),
        real=lambda scores: jax.nn.softplus(-scores),
        made=jax.nn.softplus,
    ),
}


def mask_entropy(mask: jax.Array) -> jax.Array:
    """Mean binary entropy of the pixels of masks `[B, S, S, 1]` in (0, 1), in bits, `[B]`."""
    chex.assert_rank(mask, 4)
    entropy = -mask * jnp.log2(mask) - (1 - mask) * jnp.log2(1 - mask)
    return entropy.mean((1, 2, 3))


def mask_edge(mask: jax.Array, wider: jax.Array | float = 0.0) -> jax.Array:
    """How much of a mask `[B, S, S, 1]` lies in the outer frame of 3 pixels, a share `[B]`.

    The sum over the frame by the number of all pixels. A public reproduction added a tenth of it
    for each of three equal channels, so that foreground and background would not change places.

    Args:
      mask: in [0, 1].
      wider: over how many further pixels the frame fades out, `[]`.
    """
    chex.assert_rank(mask, 4)
    rows, columns = (_to_border(side) for side in mask.shape[1:3])
    inside = jnp.minimum(rows[:, None], columns[None]) - (FRAME - 1)
    frame = jnp.where(inside > 0, jax.nn.relu(1 - inside / jnp.maximum(wider, 1e-3)), 1.0)
    return (mask * frame[None, ..., None]).mean((1, 2, 3))


def _to_border(side: int) -> jax.Array:
    """How many pixels lie between each of a side and the border, `[side]`."""
    place = jnp.arange(side)
    return jnp.minimum(place, side - 1 - place)


def gram(features: jax.Array) -> jax.Array:
    """Gram matrices of features `[B, H, W, C]` by the number of their entries, `[B, C, C]`."""
    chex.assert_rank(features, 4)
    rows = features.reshape(features.shape[0], -1, features.shape[-1])
    product = jnp.einsum("bic,bid->bcd", rows, rows, precision=jax.lax.Precision.HIGHEST)
    return product / (rows.shape[1] * rows.shape[2])


def gram_distance(
    features: Sequence[jax.Array], targets: Sequence[jax.Array], weights: Sequence[float]
) -> jax.Array:
    """How far textures are from those of other images, `[B]` (Gatys et al. 2016).

    The mean absolute difference of Gram matrices of each layer times 5000 w^2, as published.

    Args:
      features: of each layer, `[B, H, W, C]`; layers without weight may be left out at the end.
      targets: those of the other images.
      weights: w of each layer.
    """
    total = jnp.zeros(len(features[0]) if features else 0)
    for ours, theirs, weight in zip(features, targets, weights, strict=False):
        if weight:
            off = jnp.abs(gram(ours) - gram(theirs)).mean((1, 2))
            total += _GRAM_SCALE * weight**2 * off
    return total
