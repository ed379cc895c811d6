"""The mechanisms of a generator on ImageNet: three BigGANs, of which one makes masks by a U²-Net.

Sauer and Geiger 2021, section 3.2 and the published code (imagenet/models/cgn.py).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax.networks.compute import Compute
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.composition import clamp_mask, compose
from icm_jax.systems.counterfactual.imagenet.networks.biggan import BigGAN
from icm_jax.systems.counterfactual.imagenet.networks.u2net import U2Net
from icm_jax.systems.counterfactual.networks.mechanisms import Each

Frozen = Mapping[str, Any]  # variables of `biggan` and `u2net`, which never learn


class Networks(NamedTuple):
    """The networks of a generator, as they are for all mechanisms.

    Attributes:
      biggan: `(noise [B, Z], labels as shares [B, L], truncation) -> [B, S, S, 3]` in (-1, 1).
      u2net: `[B, S, S, 3] -> [B, S, S, 1]` in (0, 1).
      latent: Z.
      classes: L.
      size: S.
    """

    biggan: nn.Module
    u2net: nn.Module
    latent: int
    classes: int
    size: int


class Made(NamedTuple):
    """What the mechanisms make of B inputs, float32.

    Attributes:
      premask: the shape's image, of which the mask is made, `[B, S, S, 3]` in (-1, 1).
      mask: `[B, S, S, 1]` in [0.0001, 0.9999].
      foreground: `[B, S, S, 3]` in (-1, 1).
      background: likewise.
      images: composed, likewise.
    """

    premask: jax.Array
    mask: jax.Array
    foreground: jax.Array
    background: jax.Array
    images: jax.Array


def make_networks(config: ConfigDict) -> Networks:
    """The networks of a config's `model`."""
    of, compute = config.model, Compute(config.precision, config.convolution)
    biggan = BigGAN(of.resolution, of.width, of.latent, of.classes, compute=compute)
    u2net = U2Net(small=of.masker == "u2netp", compute=compute)
    return Networks(biggan, u2net, of.latent, of.classes, of.resolution)


def make(
    networks: Networks,
    frozen: Frozen,
    params: Each,
    noise: jax.Array,
    labels: Each,
    truncation: float,
) -> Made:
    """Makes images of one noise for all mechanisms.

    Args:
      networks: see `Networks`.
      frozen: of `biggan` all but its parameters counts here, its statistics; and `u2net`.
      params: BigGAN's parameters, of each mechanism.
      noise: u, float32 `[B, Z]`.
      labels: of each mechanism: int32 `[B]`, or shares of classes float32 `[B, L]`.
      truncation: see `draw_noise`.
    """
    chex.assert_shape(noise, (None, networks.latent))

    def apply(params: PyTree, labels: jax.Array) -> jax.Array:
        return apply_biggan(
            networks, {**frozen["biggan"], "params": params}, noise, labels, truncation
        )

    premask, foreground, background = (apply(*of) for of in zip(params, labels, strict=True))
    mask = clamp_mask(apply_u2net(networks, frozen, premask))
    images = compose(mask, foreground, background)
    return Made(premask, mask, foreground, background, images)


def apply_biggan(
    networks: Networks, variables: PyTree, noise: jax.Array, labels: jax.Array, truncation: float
) -> jax.Array:
    """Images of a BigGAN, float32 `[B, S, S, 3]` in (-1, 1); arguments as `make` has them."""
    if labels.ndim == 1:
        labels = jax.nn.one_hot(labels, networks.classes)
    return networks.biggan.apply(variables, noise, labels, truncation).astype(jnp.float32)


def apply_u2net(networks: Networks, frozen: Frozen, images: jax.Array) -> jax.Array:
    """Where the object of images `[B, S, S, 3]` in [-1, 1] is, float32 `[B, S, S, 1]` in (0, 1)."""
    return networks.u2net.apply(frozen["u2net"], images).astype(jnp.float32)


def draw_noise(key: jax.Array, count: int, latent: int, truncation: float) -> jax.Array:
    """Noise u, float32 `[count, latent]`: normal between -2 and 2, times `truncation`."""
    return truncation * jax.random.truncated_normal(key, -2.0, 2.0, (count, latent))
