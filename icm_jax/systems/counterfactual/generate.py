"""Counterfactual images from trained mechanisms: each has a label, and noise, of its own."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax

from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.composition import clamp_mask, compose, shuffle
from icm_jax.systems.counterfactual.networks.mechanisms import Each, Layers, Mechanisms


class Counterfactuals(NamedTuple):
    """B images and what they are made of, float32.

    Attributes:
      mask: `[B, S, S, 1]` in [0, 1].
      foreground: `[B, S, S, 3]` in [-1, 1], shifted cyclically.
      background: likewise.
      images: likewise, composed.
    """

    mask: jax.Array
    foreground: jax.Array
    background: jax.Array
    images: jax.Array


def generate(
    mechanisms: Mechanisms, variables: PyTree, noise: Each, labels: Each, key: jax.Array
) -> Counterfactuals:
    """Makes images by the running statistics, as they are made after training.

    Args:
      mechanisms: the networks.
      variables: of these, `params` and `batch_stats`.
      noise: float32 `[B, Z]` for each mechanism.
      labels: int32 `[B]` for each mechanism.
      key: typed key `[]`, of the cyclic shifts of textures.
    """
    chex.assert_equal_shape(list(noise))
    chex.assert_equal_shape(list(labels))
    return _finish(mechanisms.apply(variables, noise, labels), key)


def generate_each(
    mechanisms: Mechanisms, variables: PyTree, noise: Each, labels: Each, keys: jax.Array
) -> Counterfactuals:
    """`generate` with a key of its own for each image, typed keys `[B]`.

    What an image is does not depend on those beside it.
    """
    layers = mechanisms.apply(variables, noise, labels)

    def finish_one(layers: Layers, key: jax.Array) -> Counterfactuals:
        made = _finish(jax.tree.map(lambda part: part[None], layers), key)
        return jax.tree.map(lambda part: part[0], made)

    return jax.vmap(finish_one)(layers, keys)


def _finish(layers: Layers, key: jax.Array) -> Counterfactuals:
    fore_key, back_key = jax.random.split(key)
    mask = clamp_mask(layers.mask)
    foreground = shuffle(layers.foreground, fore_key)
    background = shuffle(layers.background, back_key)
    return Counterfactuals(mask, foreground, background, compose(mask, foreground, background))


def draw_noise(key: jax.Array, count: int, latent: int) -> Each:
    """Noise of its own for each mechanism, float32 `[count, latent]`, N(0, 1)."""
    return Each(*jax.random.normal(key, (3, count, latent)))


def draw_labels(key: jax.Array, count: int, classes: int) -> Each:
    """A label of its own for each mechanism, int32 `[count]`, uniform."""
    return Each(*jax.random.randint(key, (3, count), 0, classes))


# (variables, noise, labels, key) -> counterfactuals, compiled
Generate = Callable[[PyTree, Each, Each, jax.Array], Counterfactuals]


def make_generate(mechanisms: Mechanisms) -> Generate:
    """`generate` of some networks, compiled once for each number of images."""
    return functools.partial(_generate, mechanisms)


_generate = jax.jit(generate, static_argnums=0)
