"""The step of a generator on ImageNet: three mechanisms come to make what a frozen BigGAN makes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.supervised import descend
from icm_jax.system import Mean, Metrics
from icm_jax.systems.counterfactual.imagenet import losses as own
from icm_jax.systems.counterfactual.imagenet.collage import Collage, make_collages
from icm_jax.systems.counterfactual.imagenet.generation.state import State, make_optimizers
from icm_jax.systems.counterfactual.imagenet.mechanisms import (
    Made,
    Networks,
    apply_biggan,
    apply_u2net,
    draw_noise,
    make,
)
from icm_jax.systems.counterfactual.losses import gram_distance, mask_entropy
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.networks.mechanisms import Each

Data = Mapping[str, Any]


class Training(NamedTuple):
    """How a generator learns.

    Attributes:
      config: see `icm_jax.systems.counterfactual.imagenet.generation.config`.
      networks: see `Networks`.
      axis_name: device axis, or None.
    """

    config: ConfigDict
    networks: Networks
    axis_name: str | None


class Batch(NamedTuple):
    """Inputs of the mechanisms, and what they are to make of them.

    Attributes:
      noise: float32 `[b, Z]`.
      labels: int32 `[b]`.
      real: the frozen BigGAN's images, float32 `[b, S, S, 3]` in (-1, 1).
    """

    noise: jax.Array
    labels: jax.Array
    real: jax.Array


def step(training: Training, state: State, data: Data, key: jax.Array) -> tuple[State, Metrics]:
    """Draws noise and labels, and lowers the sum of all losses.

    Args:
      training: networks, losses and rates.
      state: before the step.
      data: variables of `biggan` and `u2net`, and `vgg` where a loss needs it.
      key: typed key `[]` of this step.
    """
    config, axis_name = training.config, training.axis_name
    draw_key, collage_key = jax.random.split(key)
    batch = _draw(training, data, draw_key)
    collage_key = collectives.own_key(collage_key, axis_name)
    gradient, terms = jax.grad(mean_loss, has_aux=True)(
        state.params, training, data, batch, collage_key
    )
    learners = (
        descend(optimizer, learner, of, {}, axis_name)
        for optimizer, learner, of in zip(
            make_optimizers(config), state.mechanisms, gradient, strict=True
        )
    )
    sums = collectives.psum({**terms, "loss": sum(terms.values())}, axis_name)
    metrics = {name: Mean(total, jnp.float32(config.batch_size)) for name, total in sums.items()}
    return state._replace(mechanisms=Each(*learners)), metrics


def mean_loss(
    params: Each, training: Training, data: Data, batch: Batch, key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """This device's share of the mean of all losses, and the sums of each.

    Args:
      params: BigGAN's, of each mechanism.
      training: see `step`.
      data: likewise.
      batch: this device's share.
      key: of collages.
    """
    config, same = training.config, Each(*[batch.labels] * 3)
    truncation = config.model.truncation
    made = make(training.networks, data, params, batch.noise, same, truncation)
    terms = weighted_losses(training, data, made, batch.real, key)
    return sum(terms.values()) / config.batch_size, terms


def weighted_losses(
    training: Training, data: Data, made: Made, real: jax.Array, key: jax.Array
) -> dict[str, jax.Array]:
    """Sums over this device's images of each weighted loss.

    Args:
      training: see `step`.
      data: likewise.
      made: by the mechanisms.
      real: of the frozen BigGAN, of the same noise and labels.
      key: of collages.
    """
    weights = training.config.losses
    size = own.mask_size(made.mask, weights.least, weights.most)
    terms = {
        "reconstruction": weights.reconstruction * own.reconstruction(made.images, real),
        "mask_entropy": weights.entropy * mask_entropy(made.mask),
        "mask_size": weights.size * size,
    }
    if weights.background:
        seen = apply_u2net(training.networks, data, made.background)
        terms["background"] = weights.background * seen.mean((1, 2, 3))
    if any(weights.perceptual):
        terms["perceptual"] = _distance(data, made.images, real, weights.perceptual)
    if any(weights.texture):
        how = Collage(**training.config.collage)
        collages = make_collages(real, made.mask, key, how)
        terms["texture"] = _distance(data, made.foreground, collages, weights.texture)
    return {name: term.sum() for name, term in terms.items()}


def _distance(
    data: Data, images: jax.Array, targets: jax.Array, weights: tuple[float, ...]
) -> jax.Array:
    """How far textures of images are from those of others, `[b]`."""
    blocks = vgg.blocks_needed(weights)
    features = (vgg.features(data["vgg"], of, blocks) for of in (images, targets))
    return gram_distance(*features, weights[:blocks])


def _draw(training: Training, data: Data, key: jax.Array) -> Batch:
    """This device's share of what a step draws."""
    of, count = training.config.model, training.config.batch_size
    noise_key, label_key = jax.random.split(key)
    noise = draw_noise(noise_key, count, of.latent, of.truncation)
    labels = jax.random.randint(label_key, (count,), 0, of.classes)
    noise, labels = collectives.share((noise, labels), training.axis_name)
    real = apply_biggan(training.networks, data["biggan"], noise, labels, of.truncation)
    return Batch(noise, labels, real)
