"""The networks of a generator in training, and its state."""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr
from ml_collections import ConfigDict

from icm_jax.networks.compute import Compute
from icm_jax.schedules import decaying
from icm_jax.supervised import Learner, make_learner
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.generation.history import History
from icm_jax.systems.counterfactual.networks.discriminators import (
    ConvDiscriminator,
    LinearDiscriminator,
    ProjectionDiscriminator,
)
from icm_jax.systems.counterfactual.networks.mechanisms import Each, Mechanisms, Settings


class State(NamedTuple):
    """Everything that a run needs to go on.

    Attributes:
      generator: in training.
      discriminator: likewise.
      average: over steps, of the generator's variables: what is evaluated and used.
      steps: how many were taken, int32 `[]`.
      history: what it made along training.
    """

    generator: Learner
    discriminator: Learner
    average: PyTree
    steps: jax.Array
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
    of, rates = config.generator, config.optimizer
    settings = Settings(
        size, of.width, of.initializer, of.gain, of.spread, axis_name=axis_name, compute=compute
    )
    ours, theirs = make_optimizers(rates, config.steps)
    return Networks(
        Mechanisms(classes, settings),
        make_discriminator(config.discriminator, classes, compute, axis_name),
        of.latent,
        optax.chain(ours, optax.stateless(functools.partial(_hasten_norms, rates.norm))),
        theirs,
    )


def make_discriminator(
    settings: ConfigDict, classes: int, compute: Compute, axis_name: str | None
) -> nn.Module:
    """The discriminator of `config.discriminator`: `(images, labels, train) -> scores`."""
    if settings.kind == "projection":
        return ProjectionDiscriminator(classes, settings.width, compute)
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


def _hasten_norms(factor: float, updates: PyTree, params: PyTree) -> PyTree:
    """Updates of which those of batch norms are greater by a factor."""
    del params
    return jax.tree_util.tree_map_with_path(
        lambda path, update: update * (factor if "BatchNorm" in keystr(path) else 1.0), updates
    )


def init_state(networks: Networks, size: int, history: History, key: jax.Array) -> State:
    """Networks that have learned nothing, of which nothing is kept but `history`."""
    ours, theirs = jax.random.split(key)
    generator = init_generator(networks, ours)
    labels = jnp.zeros(1, jnp.int32)
    images = jnp.zeros((1, size, size, 3))
    discriminator = networks.discriminator.init(theirs, images, labels)
    return State(
        make_learner(generator, networks.generator_optimizer),
        make_learner(discriminator, networks.discriminator_optimizer),
        jax.tree.map(jnp.copy, generator),  # its buffers are given away apart from the others
        jnp.int32(0),
        jax.tree.map(jnp.asarray, history),
    )


def init_generator(networks: Networks, key: jax.Array) -> PyTree:
    """The variables of mechanisms that have learned nothing."""
    noise, labels = jnp.zeros((1, networks.latent)), jnp.zeros(1, jnp.int32)
    return networks.mechanisms.init(key, Each(*[noise] * 3), Each(*[labels] * 3))
