"""Reductions over the device axis that do nothing where there is none.

Systems are built with the name of an axis (or None) and use these; which devices stand behind
the name is the business of `icm_jax.training.devices`.
"""

from typing import Any

import jax

PyTree = Any


def psum(tree: PyTree, axis_name: str | None) -> PyTree:
    """Sums every leaf, of any shape, over the devices of `axis_name`; each gets the sums."""
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)


def size(axis_name: str | None) -> int:
    """The number of devices on `axis_name`."""
    return 1 if axis_name is None else jax.lax.psum(1, axis_name)


def own_key(key: jax.Array, axis_name: str | None) -> jax.Array:
    """A key of this device's own, of a typed key `[]` that all devices have alike."""
    if axis_name is None:
        return key
    return jax.random.fold_in(key, jax.lax.axis_index(axis_name))


def share(batch: PyTree, axis_name: str | None, field: str = "batch_size") -> PyTree:
    """This device's part `[B / devices, ...]` of arrays `[B, ...]` that all devices have alike.

    Parts are consecutive: the first device has the first rows.

    Args:
      batch: arrays `[B, ...]`.
      axis_name: device axis, or None.
      field: of the config, that says B.

    Raises:
      ValueError: if the number of devices does not divide B.
    """
    if axis_name is None:
        return batch
    devices = size(axis_name)

    def part(array):
        if array.shape[0] % devices:
            raise ValueError(f"{field}: {array.shape[0]} does not divide among {devices} devices")
        rows = array.shape[0] // devices
        return jax.lax.dynamic_slice_in_dim(array, jax.lax.axis_index(axis_name) * rows, rows)

    return jax.tree.map(part, batch)
