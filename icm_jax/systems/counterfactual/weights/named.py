"""Arrays by the names of PyTorch's modules as variables of Flax."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from icm_jax.system import PyTree


def same(array: np.ndarray) -> np.ndarray:
    """The array: for layouts in which both agree."""
    return array


class NamedArray(NamedTuple):
    """An array of a network.

    Attributes:
      path: in our variables.
      name: in their files.
      ours: `theirs -> ours`, of the array's values.
      theirs: `ours -> theirs`.
    """

    path: tuple[str, ...]
    name: str
    ours: Callable[[np.ndarray], np.ndarray] = same
    theirs: Callable[[np.ndarray], np.ndarray] = same


# The names of arrays in layers of Flax and of PyTorch.
LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
# (ours, theirs) of kernels; theirs have outputs first.
CONV = (lambda a: a.transpose(2, 3, 1, 0), lambda a: a.transpose(3, 2, 0, 1))
DENSE = (np.transpose, np.transpose)


def counters(names: list[str]) -> set[str]:
    """The names of batch norms' numbers of batches, which lie beside the `running_mean` named."""
    return {
        f"{name.removesuffix('running_mean')}num_batches_tracked"
        for name in names
        if name.endswith("running_mean")
    }


def take(
    arrays: Mapping[str, np.ndarray],
    expected: Sequence[NamedArray],
    template: PyTree,
    said: str,
    network: str,
    unused: Iterable[str] = (),
) -> PyTree:
    """The variables of a network from arrays by their names, float32.

    Args:
      arrays: theirs.
      expected: all arrays of the network.
      template: variables or their shapes.
      said: what to call the arrays in an error.
      network: what to call the network.
      unused: names that may be there, without use.

    Raises:
      ValueError: one is missing, unknown, of another shape or not of floats.
    """
    _check_names(set(arrays) - set(unused), [each.name for each in expected], said, network)
    shapes, found = traverse_util.flatten_dict(template), {}
    for array in expected:
        given, shape = arrays[array.name], shapes[array.path].shape
        needed = array.theirs(np.broadcast_to(np.float32(0), shape)).shape
        if given.shape != needed:
            raise ValueError(
                f"{said}: {array.name!r} is {list(given.shape)}; this {network}'s is {list(needed)}"
            )
        if not jnp.issubdtype(given.dtype, jnp.floating):  # bfloat16 too
            raise ValueError(f"{said}: {array.name!r} is {given.dtype}; it must be float")
        found[array.path] = np.ascontiguousarray(array.ours(given), np.float32).reshape(shape)
    return traverse_util.unflatten_dict(found)


def _check_names(given: set[str], expected: list[str], said: str, network: str) -> None:
    missing = [name for name in expected if name not in given]
    if missing:
        raise ValueError(
            f"{said} has no array {missing[0]!r}; {len(missing)} of the {len(expected)} of a "
            f"{network} are missing"
        )
    unknown = sorted(given - set(expected))
    if unknown:
        raise ValueError(f"{said}: {unknown[0]!r} is no array of this {network}")
