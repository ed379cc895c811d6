"""Functions as files: they run wherever JAX does, on CPU and CUDA, without this package."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from icm_jax import paths
from icm_jax.training import reasons


def write(
    function: Callable[..., Any],
    shape: Sequence[int],
    path: str | os.PathLike,
    others: Sequence[jax.ShapeDtypeStruct] = (),
) -> None:
    """Writes a function as one file that `jax.export.deserialize` reads.

    A file that is there is replaced by the whole new one.

    Args:
      function: of float32 `[b, *shape]`, for any b, and of `others`; it returns arrays in dicts
        and tuples.
      shape: of one of the b.
      path: of the file.
      others: shapes and dtypes of further arguments; a side None is b.

    Raises:
      ValueError: `path` is a folder, lies in none, or is no path on this machine.
      WorkdirError: `path` cannot be written.
    """
    path = paths.local(path, "output")
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"output: {str(path)!r} is not allowed; it must be a file in a folder")
    (count,) = export.symbolic_shape("b")

    def sized(sides: Sequence[int | None], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct([count if side is None else side for side in sides], dtype)

    exported = export.export(jax.jit(function), platforms=("cpu", "cuda"))(
        sized((None, *shape), jnp.float32), *(sized(other.shape, other.dtype) for other in others)
    )
    with reasons(path), paths.replaced(path) as unfinished:
        unfinished.write_bytes(exported.serialize())
