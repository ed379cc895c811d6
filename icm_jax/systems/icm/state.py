"""The state of an ICM run: its experts, their discriminator, and who won how much."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.icm.model import Model

PyTree = Any


class Experts(NamedTuple):
    """All experts: every leaf has a leading axis E. `statistics` are running batch statistics."""

    params: PyTree
    statistics: PyTree
    opt_state: PyTree


class Discriminator(NamedTuple):
    """Parameters and optimizer state of the discriminator."""

    params: PyTree
    opt_state: PyTree


class State(NamedTuple):
    """Everything that a run needs to go on.

    `share` is the experts' running share of wins, float32 `[E]`; `steps` counts the steps of the
    competition, int32 `[]`.
    """

    experts: Experts
    discriminator: Discriminator
    share: jax.Array
    steps: jax.Array


def init(model: Model, count: int, example: jax.Array, key: jax.Array) -> State:
    """Makes parameters for `count` experts, each of its own key, and the discriminator.

    Args:
      model: one without a device axis.
      count: E.
      example: float32 images `[B, H, W, C]` of the shape that will come.
      key: typed key `[]`.
    """
    experts_key, discriminator_key = jax.random.split(key)
    variables = jax.vmap(lambda k: model.expert.init(k, example))(
        jax.random.split(experts_key, count)
    )
    params = variables["params"]
    opt_state = jax.vmap(model.expert_optimizer.init)(params)
    experts = Experts(params, variables["batch_stats"], opt_state)
    params = model.discriminator.init(discriminator_key, example)["params"]
    discriminator = Discriminator(params, model.discriminator_optimizer.init(params))
    return State(experts, discriminator, jnp.full(count, 1.0 / count, jnp.float32), jnp.int32(0))


def prune(state: State, least: float) -> tuple[State, np.ndarray]:
    """Drops the experts whose running share of wins is below `least`, but never the busiest.

    Args:
      state: of E experts.
      least: a fraction in [0, 1].

    Returns:
      The state of the K experts kept, and their numbers, int `[K]`, in order.
    """
    share = np.asarray(state.share)
    kept = np.flatnonzero((share >= least) | (share == share.max()))
    experts = jax.tree.map(lambda t: t[kept], state.experts)
    return state._replace(experts=experts, share=state.share[kept]), kept
