"""The phases of ICM and of its oracle: how a step draws its batch, and what it does with it."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax import collectives, mechanisms
from icm_jax.data import draw
from icm_jax.schedules import decayed
from icm_jax.streams import StepStream
from icm_jax.system import Metrics, Phase, PyTree
from icm_jax.systems.icm import restarts
from icm_jax.systems.icm.competition import KeyedImages
from icm_jax.systems.icm.images import Images
from icm_jax.systems.icm.model import Model, make_model
from icm_jax.systems.icm.state import State
from icm_jax.systems.icm.steps import (
    Batch,
    Pairs,
    Schedule,
    competition_step,
    reproduction_step,
    restart_step,
)


class _Setting(NamedTuple):
    """What the steps of all phases depend on."""

    config: ConfigDict
    images: Images
    model: Model
    axis_name: str | None

    def schedule(self, state: State) -> Schedule:
        """That of a step of the competition, or of the oracle's phase, which takes its place."""
        competition = self.config.competition
        rate = decayed(state.steps, competition.steps, competition.decay)
        return Schedule(self.config.experts.momentum, rate)


def make_phases(config: ConfigDict, images: Images, axis_name: str | None) -> tuple[Phase, Phase]:
    """Initialization and competition.

    Args:
      config: see `icm_jax.systems.icm.config`.
      images: of canonical and transformed images.
      axis_name: device axis, or None.
    """
    setting = _Setting(config, images, make_model(config, axis_name), axis_name)
    steps, threshold = config.initialization.steps, config.initialization.threshold
    compete = functools.partial(_compete, setting)
    initialize = functools.partial(_initialize, setting)
    return (
        Phase("initialization", steps, initialize, ("reproduction_error", threshold)),
        Phase("competition", config.competition.steps, compete),
    )


def make_oracle_phases(config: ConfigDict, images: Images, axis_name: str | None) -> tuple[Phase]:
    """Expert i learns to undo mechanism i from true pairs, as many steps as a competition takes.

    Nobody competes: it bounds what experts of this kind can restore. Arguments are as in
    `make_phases`, the images one of designed mechanisms.
    """
    setting = _Setting(config, images, make_model(config, axis_name), axis_name)
    learn = functools.partial(_learn_from_pairs, setting)
    return (Phase("supervised", config.competition.steps, learn),)


def _initialize(
    setting: _Setting, state: State, data: Mapping[str, PyTree], key: jax.Array
) -> tuple[State, Metrics]:
    """Every expert learns to reproduce the same transformed images."""
    config, images, model, axis_name = setting
    size = config.initialization.images
    count, field = (size, "initialization.images") if size else (config.batch_size, "batch_size")
    batch = images.draw(data, key, count), _experts_keys(key, count)
    images, keys = collectives.share(batch, axis_name, field)
    schedule = Schedule(config.experts.momentum)
    return reproduction_step(model, state, Pairs(images, images, keys), schedule, axis_name)


def _compete(
    setting: _Setting, state: State, data: Mapping[str, PyTree], key: jax.Array
) -> tuple[State, Metrics]:
    """Experts compete, the discriminator learns, and an idle expert may be restarted."""
    config, images, model, axis_name = setting
    canonical_key, transformed_key, restart_key = jax.random.split(key, 3)
    transformed = KeyedImages(
        images.draw(data, transformed_key, config.batch_size),
        _experts_keys(key, config.batch_size),
    )
    canonical = draw(canonical_key, data["images"], data["canonical"], config.batch_size)
    shares = collectives.share((transformed, images.prepare(canonical)), axis_name)
    order = _losers_order(config, key, axis_name)
    some = config.competition.reference
    reference = jax.tree.map(lambda t: t[:some], transformed) if some else None
    state, metrics = competition_step(
        model, state, Batch(*shares, reference, order), setting.schedule(state), axis_name
    )
    settings = restarts.Settings(**config.competition.restart)
    share = restarts.running_share(state.share, metrics["wins"].total, settings)
    state = state._replace(share=share)
    if settings.every:
        state, metrics["restarts"] = restart_step(state, restart_key, settings)
    return state, metrics


def _learn_from_pairs(
    setting: _Setting, state: State, data: Mapping[str, PyTree], key: jax.Array
) -> tuple[State, Metrics]:
    """The same originals, by mechanism i for expert i."""
    config, images, model, axis_name = setting
    image_key, *own_keys = jax.random.split(key, 1 + len(images.bank))
    originals = draw(image_key, data["images"], data["transformed"], config.batch_size)
    originals = images.prepare(originals)
    all_of_one = jnp.zeros(config.batch_size, jnp.int32)
    inputs = [
        mechanisms.apply([mechanism], own_key, originals, all_of_one)
        for mechanism, own_key in zip(images.bank, own_keys, strict=True)
    ]
    batch = inputs, originals, _experts_keys(key, config.batch_size)
    inputs, targets, keys = collectives.share(batch, axis_name)
    pairs = Pairs(jnp.stack(inputs), targets, keys)
    state, metrics = reproduction_step(model, state, pairs, setting.schedule(state), axis_name)
    return state._replace(steps=state.steps + 1), metrics


def _losers_order(config: ConfigDict, key: jax.Array, axis_name: str | None) -> jax.Array | None:
    """This device's share of what draws losers; None where the discriminator learns from all."""
    blocks = config.discriminator.losers
    if not blocks:
        return None
    shape = blocks, config.batch_size // blocks, config.experts.count
    order = jax.random.uniform(jax.random.fold_in(key, StepStream.LOSERS), shape)
    return collectives.share(order, axis_name, "discriminator.losers")


def _experts_keys(key: jax.Array, batch: int) -> jax.Array:
    """Keys `[batch]` for what experts draw, apart from those that a step splits off its key."""
    return jax.random.split(jax.random.fold_in(key, StepStream.EXPERTS), batch)
