"""Initialization of one expert, which the others begin as, with noise.

What experts learn before they compete is the same for all, to leave images alone, and one learns it
at a fraction of the price of all. Noise then tells them apart. This departs from the paper, where
every expert learns it by itself (`initialization.kind: each`).
"""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from icm_jax.system import Metrics, PyTree
from icm_jax.systems.icm import restarts
from icm_jax.systems.icm.state import Experts, State

Step = Callable[[State, Mapping[str, PyTree], jax.Array], tuple[State, Metrics]]


def of_one(step: Step) -> Step:
    """A step as it is, but that the first expert alone takes it; metrics are `[1]` of `[E]`."""

    def step_of_one(
        state: State, data: Mapping[str, PyTree], key: jax.Array
    ) -> tuple[State, Metrics]:
        first = jax.tree.map(lambda t: t[:1], state.experts)
        new, metrics = step(state._replace(experts=first, share=state.share[:1]), data, key)
        experts = jax.tree.map(lambda t, one: t.at[:1].set(one), state.experts, new.experts)
        return new._replace(experts=experts, share=state.share), metrics

    return step_of_one


@functools.partial(jax.jit, static_argnums=2)
def copy_first(experts: Experts, key: jax.Array, noise: float) -> Experts:
    """Makes all experts copies of the first, with all that belongs to it.

    Args:
      experts: E of them.
      key: typed key `[]`.
      noise: standard deviation of the factor, around 1, on each parameter of a copy; the first
        stays what it is.
    """
    copied = jax.tree.map(lambda t: jnp.broadcast_to(t[:1], t.shape), experts)
    count = jax.tree.leaves(experts.params)[0].shape[0]
    others = jnp.arange(count) > 0
    params = restarts.perturb(copied.params, others, key, noise)
    average = (params, copied.statistics) if experts.average else ()
    return copied._replace(params=params, average=average)
