"""Several replicas as one: pytrees with a leading axis R and a step mapped over it.

One replica alone has no such axis: what it computes and saves is what it would without replicas.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.system import PyTree, System


def stack(trees: Sequence[PyTree]) -> PyTree:
    """R pytrees of arrays (typed keys too) as one with leaves `[R, ...]`; a single one as it is."""
    return trees[0] if len(trees) == 1 else _stack(*trees)


def part(tree: PyTree, index: int, count: int) -> PyTree:
    """The pytree that stood at `index` among the `count` that `stack` was given."""
    return tree if count == 1 else _part(tree, np.int32(index))


def stack_data(systems: Sequence[System]) -> tuple[PyTree, PyTree]:
    """The host arrays of R systems as one pytree, and the axis of each entry for `jax.vmap`.

    What they share stays one (None), the rest is stacked to leaves `[R, ...]` (0).
    """
    if len(systems) == 1:
        return systems[0].given, None
    own = jax.tree.map(lambda *leaves: np.stack(leaves), *(dict(s.data) for s in systems))
    shared = dict(systems[0].shared)
    return shared | own, dict.fromkeys(shared) | dict.fromkeys(own, 0)


def mapped(step: Callable, axes: PyTree, count: int) -> Callable:
    """A step `(carry, data) -> carry` of one replica as `(carry, (data, active)) -> carry` of all.

    `active` is bool `[R]`: the carry of a replica that is not active stays as it is. `axes` are
    those of `data`.
    """
    if count == 1:
        return lambda carry, given: step(carry, given[0])

    def one(carry, data, active):
        return jax.tree.map(lambda new, old: jnp.where(active, new, old), step(carry, data), carry)

    return lambda carry, given: jax.vmap(one, (0, axes, 0))(carry, *given)


@jax.jit
def _stack(*trees: PyTree) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@jax.jit
def _part(tree: PyTree, index: jax.Array) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[index], tree)
