"""Many images through what is compiled for a few at a time."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

PyTree = Any
SIZE = 40  # images a call: larger ones wait for memory


def in_chunks(
    call: Callable[[np.ndarray], PyTree], count: int, size: int = SIZE, name: str = ""
) -> PyTree:
    """What a function makes of `count` items, computed `size` at a time.

    Args:
      call: of the indices int64 `[size]` of items, in order; returns arrays `[size, ...]`. The
        last indices are repeated where they run out, so that one shape is compiled.
      count: N, at least 1.
      size: items a call.
      name: of a progress bar, which shows where it takes long; there is none by default.

    Returns:
      NumPy arrays `[N, ...]`.
    """
    whole = None
    starts = range(0, count, size)
    for i in tqdm(starts, name, unit="chunk", delay=2, disable=None if name else True):
        index = np.minimum(np.arange(i, i + size), count - 1)
        part = jax.device_get(call(index))
        if whole is None:
            # Filled chunk by chunk: joining all of them at the end would need memory for two.
            whole = jax.tree.map(lambda x: np.empty((count, *x.shape[1:]), x.dtype), part)
        for array, new in zip(jax.tree.leaves(whole), jax.tree.leaves(part), strict=True):
            array[i : i + size] = new[: count - i]
    return whole


def equal_parts(count: int, most: int) -> int:
    """The fewest equal parts of `count` items with at most `most` items each, and never none."""
    return min(d for d in range(1, count + 1) if count % d == 0 and count // d <= max(1, most))
