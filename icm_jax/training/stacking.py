"""Several replicas as one: pytrees with a leading axis R and a step mapped over it.

One replica alone has no such axis: what it computes and saves is what it would without replicas.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.system import PyTree


def stack(trees: Sequence[PyTree]) -> PyTree:
    """R pytrees of arrays (typed keys too) as one with leaves `[R, ...]`; a single one as it is."""
    return trees[0] if len(trees) == 1 else _stack(*trees)


def part(tree: PyTree, index: int, count: int) -> PyTree:
    """The pytree that stood at `index` among the `count` that `stack` was given."""
    return tree if count == 1 else _part(tree, np.int32(index))


def stack_data(trees: Sequence[PyTree]) -> tuple[PyTree, PyTree]:
    """Host arrays as one pytree, and the axis of each leaf for `jax.vmap`.

    An array that is the same object in all `trees` stays one (None), others are stacked (0).
    """
    leaves, structures = zip(*(jax.tree.flatten(tree) for tree in trees), strict=True)
    joined, axes = [], []
    for each in zip(*leaves, strict=True):
        same = all(leaf is each[0] for leaf in each)
        joined.append(each[0] if same else np.stack(each))
        axes.append(None if same else 0)
    return structures[0].unflatten(joined), structures[0].unflatten(axes)


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
