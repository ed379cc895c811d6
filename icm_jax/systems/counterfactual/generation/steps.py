"""The step of a generator: mechanisms learn to fool the discriminator, which learns to tell."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.averages import move_average
from icm_jax.supervised import Learner, Parameters, descend
from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.systems.counterfactual import losses
from icm_jax.systems.counterfactual.biased import BiasedData, take_images
from icm_jax.systems.counterfactual.composition import clamp_mask, compose, roll
from icm_jax.systems.counterfactual.discriminate import Labelled, Rule, update_discriminator
from icm_jax.systems.counterfactual.generation.state import Networks, State
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.networks.discriminators import score_in_training
from icm_jax.systems.counterfactual.networks.mechanisms import Each

Data = Mapping[str, Any]


class Training(NamedTuple):
    """How a generator learns.

    Attributes:
      config: see `icm_jax.systems.counterfactual.generation.config`.
      networks: with their optimizers.
      biased: how images are rendered, and of how many classes.
      axis_name: device axis, or None.
    """

    config: ConfigDict
    networks: Networks
    biased: BiasedData
    axis_name: str | None


class _Batch(NamedTuple):
    """This device's share of what a step draws.

    Attributes:
      images: real ones, float32 `[b, S, S, 3]` in [-1, 1].
      labels: of these, int32 `[b]`.
      noise: of the images that are made, float32 `[b, Z]`.
      wanted: labels of these, int32 `[b]`.
      offsets: by which their foregrounds and backgrounds are shifted, int32 `[b, 2, 2]`.
    """

    images: jax.Array
    labels: jax.Array
    noise: jax.Array
    wanted: jax.Array
    offsets: jax.Array


def step(training: Training, state: State, data: Data, key: jax.Array) -> tuple[State, Metrics]:
    """Draws a batch; first the mechanisms learn from it, then the discriminator.

    Args:
      training: networks, losses and rates.
      state: before the step.
      data: `parts` and `labels` of the images, what `render` shares, `vgg` where it is needed.
      key: typed key `[]` of this step.
    """
    draw_key, *keys = jax.random.split(key, 3)
    keys = [collectives.own_key(key, training.axis_name) for key in keys]
    batch = _draw(training, data, draw_key)
    generator, fake, metrics = _learn_to_make(training, state, data, batch, keys[0])
    discriminator, told = update_discriminator(
        _rule(training),
        state.discriminator,
        Labelled(batch.images, batch.labels),
        Labelled(fake, batch.wanted),
        keys[1],
    )
    sums = collectives.psum({**metrics, "discriminator": told}, training.axis_name)
    size = jnp.float32(training.config.batch_size)
    decay = training.config.generator.average
    variables = generator.parameters._asdict()
    average = move_average(state.average, variables, decay, state.steps)
    state = State(generator, discriminator, average, state.steps + 1, state.history)
    return state, {k: Mean(total, size) for k, total in sums.items()}


def _draw(training: Training, data: Data, key: jax.Array) -> _Batch:
    """Draws for all devices alike, so that their number changes nothing."""
    keys = jax.random.split(key, 5)
    size, biased = training.config.batch_size, training.biased
    index = jax.random.randint(keys[0], (size,), 0, len(data["labels"]))
    batch = _Batch(
        *take_images(biased, data, index, keys[1]),
        jax.random.normal(keys[2], (size, training.networks.latent)),
        jax.random.randint(keys[3], (size,), 0, biased.classes),
        jax.random.randint(keys[4], (size, 2, 2), 0, biased.size + 1),
    )
    return collectives.share(batch, training.axis_name)


def _learn_to_make(
    training: Training, state: State, data: Data, batch: _Batch, key: jax.Array
) -> tuple[Learner, jax.Array, dict[str, jax.Array]]:
    """The mechanisms after the step, the images they made before it, sums of losses."""
    before = state.generator.parameters

    def value(params: PyTree):
        fake, mask, stats = _make(training, before._replace(params=params), batch)
        terms = _terms(training, state, data, batch, fake, mask, key)
        return sum(terms.values()) / training.config.batch_size, (fake, stats, terms)

    gradient, (fake, stats, terms) = jax.grad(value, has_aux=True)(before.params)
    optimizer = training.networks.generator_optimizer
    learner = descend(optimizer, state.generator, gradient, stats, training.axis_name)
    return learner, fake, terms


def _make(
    training: Training, parameters: Parameters, batch: _Batch
) -> tuple[jax.Array, jax.Array, PyTree]:
    """Images, masks, and running statistics after them."""
    layers, updates = training.networks.mechanisms.apply(
        parameters._asdict(),
        Each(*[batch.noise] * 3),
        Each(*[batch.wanted] * 3),
        train=True,
        mutable=["batch_stats"],
    )
    mask = clamp_mask(layers.mask)
    textures = layers.foreground, layers.background
    shifted = (jax.vmap(roll)(t, batch.offsets[:, i]) for i, t in enumerate(textures))
    return compose(mask, *shifted), mask, updates["batch_stats"]


def _terms(
    training: Training,
    state: State,
    data: Data,
    batch: _Batch,
    fake: jax.Array,
    mask: jax.Array,
    key: jax.Array,
) -> dict[str, jax.Array]:
    """Sums over this device's images of each weighted loss of the mechanisms."""
    weights = training.config.losses
    against = training.networks.discriminator, state.discriminator.parameters
    scores, _ = score_in_training(*against, fake, batch.wanted, key)
    terms = {"adversarial": losses.ADVERSARIAL[weights.adversarial].fooling(scores).sum()}
    terms["mask_entropy"] = weights.mask * losses.mask_entropy(mask).sum()
    if weights.edge:
        wider = weights.edge_wider * jax.nn.relu(1 - state.steps / weights.edge_steps)
        terms["edge"] = weights.edge * losses.mask_edge(mask, wider).sum()
    blocks = vgg.blocks_needed(weights.perceptual)
    if blocks:
        count = max(1, round(len(fake) * weights.perceptual_share))
        ours, theirs = (
            vgg.features(data["vgg"], images[:count], blocks) for images in (fake, batch.images)
        )
        off = losses.gram_distance(ours, theirs, weights.perceptual[:blocks])
        terms["perceptual"] = off.sum() * (len(fake) / count)
    return terms


def _rule(training: Training) -> Rule:
    """How the discriminator learns."""
    return Rule(
        training.networks.discriminator,
        training.networks.discriminator_optimizer,
        losses.ADVERSARIAL[training.config.losses.adversarial],
        training.axis_name,
    )
