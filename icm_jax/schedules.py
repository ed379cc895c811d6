"""Schedules of the learning rate."""

import chex
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict


def decayed(steps: jax.Array, total: int, decay: float) -> jax.Array | float:
    """Factor on the learning rates after `steps` `[]` of `total` steps, `[]` in [0, 1].

    It is 1, and falls linearly to 0 over the last fraction `decay` of the steps.
    """
    chex.assert_rank(steps, 0)
    return jnp.clip((total - steps) / (decay * total), 0.0, 1.0) if decay else 1.0


def decaying(settings: ConfigDict, total: int) -> optax.Schedule:
    """The learning rate of each of `total` steps: `learning_rate`, which falls as `decayed`.

    Args:
      settings: `learning_rate` and `decay`.
      total: steps.
    """

    def rate(step: jax.Array) -> jax.Array:
        return settings.learning_rate * decayed(step, total, settings.decay)

    return rate
