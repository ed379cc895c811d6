"""The networks of a generator in training, and its state."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax.networks.compute import Compute
from icm_jax.schedules import decaying
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.generation.history import History
from icm_jax.systems.counterfactual.networks.discriminators import (
    ConvDiscriminator,
    LinearDiscriminator,
)
from icm_jax.systems.counterfactual.networks.mechanisms import Each, Mechanisms, Settings


class Player(NamedTuple):
    """A network in training: its variables and its optimizer's state."""

    variables: PyTree
    opt_state: PyTree


class State(NamedTuple):
    """Everything that a run needs to go on."""

    generator: Player
    discriminator: Player
    history: History


class Networks(NamedTuple):
    """The mechanisms and what tells their images from real ones, with their optimizers.

    Attributes:
      mechanisms: see `Mechanisms`.
      discriminator: `(images, labels, train) -> scores`.
      latent: Z, numbers of noise.
      generator_optimizer: of the mechanisms' parameters.
      discriminator_optimizer: of the discriminator's.
    """

    mechanisms: Mechanisms
    discriminator: nn.Module
    latent: int
    generator_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation


def make_networks(
    config: ConfigDict, classes: int, size: int, axis_name: str | None = None
) -> Networks:
    """The networks of a config, for images of `size` pixels a side."""
    compute = Compute(config.precision, config.convolution)
    of = config.generator
    settings = Settings(size, of.width, of.initializer, of.gain, axis_name, compute)
    discriminator = make_discriminator(config.discriminator, classes, compute, axis_name)
    optimizers = make_optimizers(config.optimizer, config.steps)
    return Networks(Mechanisms(classes, settings), discriminator, of.latent, *optimizers)


def make_discriminator(
    settings: ConfigDict, classes: int, compute: Compute, axis_name: str | None
) -> nn.Module:
    """The discriminator of `config.discriminator`: `(images, labels, train) -> scores`."""
    if settings.kind == "conv":
        return ConvDiscriminator(classes, settings.width, axis_name, compute)
    return LinearDiscriminator(classes, settings.width, settings.dropout)


def make_optimizers(
    rates: ConfigDict, steps: int
) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
    """Adam for the generator and for the discriminator, of `config.optimizer`."""
    generator, discriminator = (
        optax.adam(decaying(_rate(rates, rate), steps), b1=rates.momentum, b2=0.999)
        for rate in (rates.generator, rates.discriminator)
    )
    return generator, discriminator


def _rate(rates: ConfigDict, learning_rate: float) -> ConfigDict:
    return ConfigDict({"learning_rate": learning_rate, "decay": rates.decay})


def init_state(networks: Networks, size: int, history: History, key: jax.Array) -> State:
    """Networks that have learned nothing, of which nothing is kept but `history`."""
    ours, theirs = jax.random.split(key)
    generator = init_generator(networks, ours)
    labels = jnp.zeros(1, jnp.int32)
    images = jnp.zeros((1, size, size, 3))
    discriminator = networks.discriminator.init(theirs, images, labels)
    return State(
        Player(generator, networks.generator_optimizer.init(generator["params"])),
        Player(discriminator, networks.discriminator_optimizer.init(discriminator["params"])),
        jax.tree.map(jnp.asarray, history),
    )


def init_generator(networks: Networks, key: jax.Array) -> PyTree:
    """The variables of mechanisms that have learned nothing."""
    noise, labels = jnp.zeros((1, networks.latent)), jnp.zeros(1, jnp.int32)
    return networks.mechanisms.init(key, Each(*[noise] * 3), Each(*[labels] * 3))
