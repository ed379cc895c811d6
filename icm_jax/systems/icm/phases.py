"""The phases of ICM and of its oracle: how a step draws its batch, and what it does with it."""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax import collectives, mechanisms
from icm_jax.data import draw
from icm_jax.schedules import decayed
from icm_jax.streams import StepStream
from icm_jax.system import Phase
from icm_jax.systems.icm import restarts
from icm_jax.systems.icm.images import Source
from icm_jax.systems.icm.model import Keys, make_model
from icm_jax.systems.icm.steps import competition_step, reproduction_step, restart_step


def icm(config: ConfigDict, source: Source, axis_name: str | None) -> tuple[Phase, Phase]:
    """Initialization and competition.

    Args:
      config: see `icm_jax.config.icm`.
      source: of canonical and transformed images.
      axis_name: device axis, or None.
    """
    model, momentum = make_model(config, axis_name), config.experts.momentum
    settings = restarts.Settings(**config.competition.restart)

    def initialize(state, data, key):
        batch = source.draw(data, key, config.batch_size), _experts_keys(key, config.batch_size)
        images, keys = collectives.share(batch, axis_name)
        return reproduction_step(
            model, state, images, images, momentum, axis_name=axis_name, keys=keys
        )

    def compete(state, data, key):
        canonical_key, transformed_key, restart_key = jax.random.split(key, 3)
        transformed = source.draw(data, transformed_key, config.batch_size)
        canonical = draw(canonical_key, data["images"], data["canonical"], config.batch_size)
        keys = _experts_keys(key, config.batch_size)
        *shares, own_keys = collectives.share(
            (transformed, source.prepare(canonical), keys), axis_name
        )
        some = config.competition.reference
        reference = transformed[:some] if some else None
        rate = decayed(state.steps, config.competition.steps, config.competition.decay)
        state, metrics = competition_step(
            model, state, *shares, reference, momentum, rate, axis_name, Keys(own_keys, keys[:some])
        )
        share = restarts.running_share(state.share, metrics["wins"].total, settings)
        state = state._replace(share=share)
        if settings.every:
            state, metrics["restarts"] = restart_step(state, restart_key, settings)
        return state, metrics

    initialization = config.initialization
    stop_below = ("reproduction_error", initialization.threshold)
    return (
        Phase("initialization", initialization.steps, initialize, stop_below),
        Phase("competition", config.competition.steps, compete),
    )


def oracle(config: ConfigDict, source: Source, axis_name: str | None) -> tuple[Phase]:
    """Expert i learns to undo mechanism i from true pairs, as many steps as a competition takes.

    Nobody competes: it bounds what experts of this kind can restore. Arguments are as in `icm`,
    the source one of designed mechanisms.
    """
    model, momentum = make_model(config, axis_name), config.experts.momentum

    def learn(state, data, key):
        image_key, *keys = jax.random.split(key, 1 + len(source.bank))
        originals = draw(image_key, data["images"], data["transformed"], config.batch_size)
        originals = source.prepare(originals)
        all_of_one = jnp.zeros(config.batch_size, jnp.int32)
        inputs = [
            mechanisms.apply([mechanism], key, originals, all_of_one)
            for mechanism, key in zip(source.bank, keys, strict=True)
        ]
        keys = _experts_keys(key, config.batch_size)
        *shares, targets, keys = collectives.share((*inputs, originals, keys), axis_name)
        rate = decayed(state.steps, config.competition.steps, config.competition.decay)
        state, metrics = reproduction_step(
            model, state, jnp.stack(shares), targets, momentum, rate, axis_name, keys
        )
        return state._replace(steps=state.steps + 1), metrics

    return (Phase("supervised", config.competition.steps, learn),)


def _experts_keys(key: jax.Array, batch: int) -> jax.Array:
    """Keys `[batch]` for what experts draw, apart from those that a step splits off its key."""
    return jax.random.split(jax.random.fold_in(key, StepStream.EXPERTS), batch)
