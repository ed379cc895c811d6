"""Schedules of the learning rate."""

import chex
import jax
import jax.numpy as jnp


def decayed(steps: jax.Array, total: int, decay: float) -> jax.Array | float:
    """Factor on the learning rates after `steps` `[]` of `total` steps, `[]` in [0, 1].

    It is 1, and falls linearly to 0 over the last fraction `decay` of the steps.
    """
    chex.assert_rank(steps, 0)
    return jnp.clip((total - steps) / (decay * total), 0.0, 1.0) if decay else 1.0
