"""The check that indices stay in range: NumPy would take -1 for the last entry."""

import numpy as np


def check(name: str, indices: np.ndarray, size: int) -> None:
    """Refuses indices out of range.

    Args:
      name: what the message calls them.
      indices: int `[N]`.
      size: how many things they number.

    Raises:
      ValueError: an index is not in `[0, size)`.
    """
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        raise ValueError(
            f"{name}: expected indices in [0, {size}), got {indices.min()} to {indices.max()}"
        )
