"""Losses of a Counterfactual Generative Network on ImageNet that digits do without, one an image.

The others are in `icm_jax.systems.counterfactual.losses`.
"""

import chex
import jax
import jax.numpy as jnp


def reconstruction(images: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean absolute difference of images `[B, S, S, 3]` from others, `[B]`."""
    chex.assert_equal_shape([images, targets])
    return jnp.abs(images - targets).mean((1, 2, 3))


def mask_size(mask: jax.Array, least: float, most: float) -> jax.Array:
    """By how much the means of masks `[B, S, S, 1]` are outside of [least, most], `[B]`."""
    chex.assert_rank(mask, 4)
    mean = mask.mean((1, 2, 3))
    return jax.nn.relu(least - mean) + jax.nn.relu(mean - most)
