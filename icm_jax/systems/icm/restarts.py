"""Restarting idle experts, as dead codes are restarted in vector quantization.

An expert that wins nothing learns nothing and never will. Where another expert is crowded with
several mechanisms, the idle one is made its copy, slightly perturbed, and the two divide what
the crowded one had. This departs from the paper, which has no remedy (`every: 0` turns it off).
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

PyTree = Any


class Settings(NamedTuple):
    """When an expert is restarted, and how.

    Attributes:
      every: steps between two looks; at most one expert is restarted at each. 0: never.
      idle: an expert is idle when its share of wins is below `idle / E`.
      crowded: an expert is crowded when its share of wins is above `crowded / E`.
      noise: standard deviation of the factor, around 1, on each copied parameter.
      memory: of the running share of wins: what a step leaves of the share before it.
    """

    every: int
    idle: float
    crowded: float
    noise: float
    memory: float


def running_share(share: jax.Array, wins: jax.Array, settings: Settings) -> jax.Array:
    """The running share of wins after a step.

    Args:
      share: float32 `[E]` before it; sums to 1.
      wins: float32 `[E]`, images that each expert won in it, at least one in all.
      settings: how much is remembered.

    Returns:
      float32 `[E]`; sums to 1.

    Raises:
      AssertionError: `share` and `wins` are not `[E]`.
    """
    chex.assert_rank([share, wins], 1)
    chex.assert_equal_shape([share, wins])
    return settings.memory * share + (1.0 - settings.memory) * wins / wins.sum()


def restart_idle(
    params: PyTree, rest: PyTree, share: jax.Array, key: jax.Array, settings: Settings
) -> tuple[PyTree, PyTree, jax.Array, jax.Array]:
    """Copies the most crowded expert over the most idle one, if there are both.

    Args:
      params: leaves `[E, ...]`; the copy's are perturbed.
      rest: whatever else belongs to the experts (statistics, optimizer state), leaves `[E, ...]`.
      share: float32 `[E]`, running shares of wins; sums to 1.
      key: typed key `[]`, for the perturbation.
      settings: thresholds and noise.

    Returns:
      `params`, `rest` and `share` after it (the two share the crowded one's wins evenly), and
      whether there was a restart, bool `[]`.

    Raises:
      AssertionError: the arguments are of different numbers of experts.
    """
    chex.assert_rank([share, key], [1, 0])
    chex.assert_equal_shape_prefix([share, *jax.tree.leaves((params, rest))], 1)
    experts = share.shape[0]
    idle, crowded = jnp.argmin(share), jnp.argmax(share)
    due = (share[idle] * experts < settings.idle) & (share[crowded] * experts > settings.crowded)
    copied = due & (jnp.arange(experts) == idle)  # [E]
    source = jnp.where(copied, crowded, jnp.arange(experts))
    params = jax.tree.map(lambda t: t[source], params)
    involved = copied | (due & (jnp.arange(experts) == crowded))
    half = (share[idle] + share[crowded]) / 2
    return (
        perturb(params, copied, key, settings.noise),
        jax.tree.map(lambda t: t[source], rest),
        jnp.where(involved, half, share),
        due,
    )


def perturb(params: PyTree, which: jax.Array, key: jax.Array, noise: float) -> PyTree:
    """Parameters of which those of some experts are multiplied by noise.

    Args:
      params: leaves `[E, ...]`.
      which: bool `[E]`, the experts.
      key: typed key `[]`.
      noise: standard deviation of the factor, around 1, on each of their parameters.

    Raises:
      AssertionError: the arguments are of different numbers of experts.
    """
    chex.assert_rank([which, key], [1, 0])
    chex.assert_equal_shape_prefix([which, *jax.tree.leaves(params)], 1)
    leaves, structure = jax.tree.flatten(params)
    perturbed = [
        jnp.where(
            which.reshape(-1, *[1] * (leaf.ndim - 1)),
            leaf * (1.0 + noise * jax.random.normal(k, leaf.shape, leaf.dtype)),
            leaf,
        )
        for k, leaf in zip(jax.random.split(key, len(leaves)), leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, perturbed)
