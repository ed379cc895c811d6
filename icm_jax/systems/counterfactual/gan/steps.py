"""A conditional GAN in training: its state and its step."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.networks.compute import Compute
from icm_jax.supervised import Learner, descend, make_learner
from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.systems.counterfactual.biased import BiasedData, take_images
from icm_jax.systems.counterfactual.discriminate import Labelled, Rule, update_discriminator
from icm_jax.systems.counterfactual.generation.state import make_discriminator, make_optimizers
from icm_jax.systems.counterfactual.losses import ADVERSARIAL
from icm_jax.systems.counterfactual.networks.dcgan import Dcgan
from icm_jax.systems.counterfactual.networks.discriminators import score_in_training

Data = Mapping[str, Any]
_ADVERSARIAL = ADVERSARIAL["cross_entropy"]


class State(NamedTuple):
    """Everything that a run needs to go on."""

    generator: Learner
    discriminator: Learner


class Gan(NamedTuple):
    """How a GAN learns.

    Attributes:
      config: see `icm_jax.systems.counterfactual.gan.config`.
      generator: `(noise, labels, train) -> images`.
      discriminator: `(images, labels, train) -> scores`, logits of being real.
      axis_name: device axis, or None.
    """

    config: ConfigDict
    generator: Dcgan
    discriminator: nn.Module
    axis_name: str | None


class _Batch(NamedTuple):
    """This device's share of what a step draws: `images` and their `labels`, `noise` and the
    labels `wanted` of what is made of it."""

    images: jax.Array
    labels: jax.Array
    noise: jax.Array
    wanted: jax.Array


def make_gan(config: ConfigDict, classes: int, size: int, axis_name: str | None = None) -> Gan:
    """The networks of a config, for images of `size` pixels a side."""
    compute = Compute(config.precision, config.convolution)
    generator = Dcgan(classes, size, config.generator.width, axis_name, compute)
    discriminator = make_discriminator(config.discriminator, classes, compute, axis_name)
    return Gan(config, generator, discriminator, axis_name)


def init_state(gan: Gan, key: jax.Array) -> State:
    """Networks that have learned nothing."""
    ours, theirs = jax.random.split(key)
    size, labels = gan.generator.size, jnp.zeros(1, jnp.int32)
    made = gan.generator.init(ours, jnp.zeros((1, gan.config.generator.latent)), labels)
    told = gan.discriminator.init(theirs, jnp.zeros((1, size, size, 3)), labels)
    optimizers = make_optimizers(gan.config.optimizer, gan.config.steps)
    learners = map(make_learner, (made, told), optimizers)
    return State(*learners)


def step(
    gan: Gan, biased: BiasedData, state: State, data: Data, key: jax.Array
) -> tuple[State, Metrics]:
    """Draws a batch; first the generator learns to be taken for real, then the discriminator.

    Args:
      gan: networks and rates.
      biased: how images are rendered.
      state: before the step.
      data: `parts` and `labels` of the images, and what `render` shares.
      key: typed key `[]` of this step.
    """
    draw_key, *keys = jax.random.split(key, 3)
    keys = [collectives.own_key(key, gan.axis_name) for key in keys]
    batch = _draw(gan, biased, data, draw_key)
    generator, fake, fooled = _learn_to_make(gan, state, batch, keys[0])
    _, optimizer = make_optimizers(gan.config.optimizer, gan.config.steps)
    discriminator, told = update_discriminator(
        Rule(gan.discriminator, optimizer, _ADVERSARIAL, gan.axis_name),
        state.discriminator,
        Labelled(batch.images, batch.labels),
        Labelled(fake, batch.wanted),
        keys[1],
    )
    sums = collectives.psum({"generator": fooled, "discriminator": told}, gan.axis_name)
    size = jnp.float32(gan.config.batch_size)
    return State(generator, discriminator), {k: Mean(total, size) for k, total in sums.items()}


def _draw(gan: Gan, biased: BiasedData, data: Data, key: jax.Array) -> _Batch:
    """Draws for all devices alike, so that their number changes nothing."""
    keys = jax.random.split(key, 4)
    size = gan.config.batch_size
    index = jax.random.randint(keys[0], (size,), 0, len(data["labels"]))
    batch = _Batch(
        *take_images(biased, data, index, keys[1]),
        jax.random.normal(keys[2], (size, gan.config.generator.latent)),
        jax.random.randint(keys[3], (size,), 0, biased.classes),
    )
    return collectives.share(batch, gan.axis_name)


def _learn_to_make(
    gan: Gan, state: State, batch: _Batch, key: jax.Array
) -> tuple[Learner, jax.Array, jax.Array]:
    """The generator after the step, the images it made before it, the sum of its losses."""

    def value(params: PyTree):
        variables = {**state.generator.parameters._asdict(), "params": params}
        fake, updates = gan.generator.apply(
            variables, batch.noise, batch.wanted, train=True, mutable=["batch_stats"]
        )
        against = state.discriminator.parameters
        scores, _ = score_in_training(gan.discriminator, against, fake, batch.wanted, key)
        total = _ADVERSARIAL.fooling(scores).sum()
        return total / gan.config.batch_size, (fake, updates["batch_stats"], total)

    gradient, (fake, stats, total) = jax.grad(value, has_aux=True)(
        state.generator.parameters.params
    )
    optimizer, _ = make_optimizers(gan.config.optimizer, gan.config.steps)
    return descend(optimizer, state.generator, gradient, stats, gan.axis_name), fake, total
