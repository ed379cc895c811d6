"""Images in groups, by whatever attributes say, and batches that take from every group."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Groups(NamedTuple):
    """Some of the images of a data set in G groups, any of which may be empty.

    Attributes:
      index: int32 `[N]`, images; those of group 0 first, then those of group 1, ...; images of no
        group last, so that the shape is that of the data set.
      start: int32 `[G]`, where each group begins in `index`.
      count: int32 `[G]`, how many images it has.
    """

    index: np.ndarray | jax.Array
    start: np.ndarray | jax.Array
    count: np.ndarray | jax.Array


def group(numbers: np.ndarray, groups: int) -> Groups:
    """Groups images by their group's number, int `[N]`; a negative one is of no group.

    Raises:
      ValueError: a number is not below `groups`, or no image has a group.
    """
    numbers = np.asarray(numbers)
    if numbers.max(initial=-1) >= groups:
        raise ValueError(f"groups: {groups} are too few for group number {numbers.max()}")
    if not (numbers >= 0).any():
        raise ValueError("groups: no image is in any group")
    last = np.where(numbers < 0, groups, numbers)
    count = np.bincount(last, minlength=groups + 1)[:groups]
    start = np.cumsum(count) - count
    index = np.argsort(last, kind="stable")
    return Groups(*(array.astype(np.int32) for array in (index, start, count)))


def draw_balanced(key: jax.Array, groups: Groups, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """Draws a batch to which all groups that are not empty give the same number, or one more.

    Which give one more is chosen at random; within a group all images have the same chance, with
    replacement. So an image of group g is drawn `batch_size / (nonempty groups * count[g])` times
    on average.

    Args:
      key: typed key.
      groups: G groups.
      batch_size: B.

    Returns:
      The images, int32 `[B]`, and the group of each, int32 `[B]`.
    """
    order_key, member_key = jax.random.split(key)
    empty = groups.count == 0
    # A random order of the groups, the empty ones last.
    chance = jax.random.uniform(order_key, groups.count.shape)
    order = jnp.argsort(jnp.where(empty, 2.0, chance)).astype(jnp.int32)
    nonempty = jnp.sum(~empty)
    chosen = order[jnp.arange(batch_size) % nonempty]
    return draw_members(member_key, groups, chosen), chosen


def draw_each(key: jax.Array, groups: Groups, size: int) -> jax.Array:
    """Draws `size` images of every group, with replacement: int32 `[G, size]`.

    What stands there for an empty group is another's and means nothing.
    """
    count = groups.count.shape[0]
    chosen = jnp.broadcast_to(jnp.arange(count, dtype=jnp.int32)[:, None], (count, size))
    return draw_members(key, groups, chosen)


def draw_members(key: jax.Array, groups: Groups, chosen: jax.Array) -> jax.Array:
    """Draws an image of each group in `chosen`, with replacement.

    Args:
      key: typed key.
      groups: G groups.
      chosen: int32 of any shape, in [0, G); what stands for an empty group means nothing.

    Returns:
      The images, int32 of the same shape.
    """
    most = jnp.maximum(groups.count[chosen], 1)
    offset = jax.random.randint(key, chosen.shape, 0, most, dtype=jnp.int32)
    return groups.index[groups.start[chosen] + offset]
