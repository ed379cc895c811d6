"""The state of an ICM run: its experts, their discriminator, and who won how much."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.averages import move_average
from icm_jax.systems.icm.model import Model

PyTree = Any


class Experts(NamedTuple):
    """All experts: every leaf has a leading axis E.

    `statistics` are running batch statistics. `average` are running averages of parameters and of
    these statistics, a pair, or () where none are kept.
    """

    params: PyTree
    statistics: PyTree
    opt_state: PyTree
    average: tuple[PyTree, PyTree] | tuple[()] = ()

    @property
    def evaluated(self) -> tuple[PyTree, PyTree]:
        """The parameters and statistics that they are evaluated with."""
        return self.average or (self.params, self.statistics)


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
    statistics = variables.get("batch_stats", {})  # of experts without batch norm none
    average = (params, statistics) if model.average else ()
    experts = Experts(params, statistics, opt_state, average)
    params = model.discriminator.init(discriminator_key, example)["params"]
    discriminator = Discriminator(params, model.discriminator_optimizer.init(params))
    return State(experts, discriminator, jnp.full(count, 1.0 / count, jnp.float32), jnp.int32(0))


def run_on(experts: Experts, decay: float, steps: jax.Array) -> Experts:
    """The experts with their averages after a step, where there are any.

    Args:
      experts: with the parameters and statistics after the step.
      decay: see `icm_jax.averages.move_average`.
      steps: of the competition before this one, int32 `[]`.
    """
    if not experts.average:
        return experts
    new = experts.params, experts.statistics
    return experts._replace(average=move_average(experts.average, new, decay, steps))


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
