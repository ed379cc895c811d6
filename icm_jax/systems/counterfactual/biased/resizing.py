"""Nearest neighbours: two libraries take different ones, and published images show which."""

from collections.abc import Callable

import numpy as np

# (pixels of a side before, after) -> which of the former each of the latter is, int64 `[after]`
Nearest = Callable[[int, int], np.ndarray]


def nearest_of_pillow(length: int, size: int) -> np.ndarray:
    """Pillow's choice, by the middles of pixels: 28 to 32 takes 0, 1, 2, 3, 3, 4, ..."""
    return (2 * np.arange(size) + 1) * length // (2 * size)


def nearest_of_torch(length: int, size: int) -> np.ndarray:
    """PyTorch's choice in `interpolate`, by corners: 28 to 32 takes 0, 0, 1, 2, ..."""
    return np.arange(size) * length // size


def resize(images: np.ndarray, size: int, nearest: Nearest) -> np.ndarray:
    """Images `[N, H, W, ...]` of `size` pixels a side, of the same dtype."""
    rows, columns = (nearest(length, size) for length in images.shape[1:3])
    return images[:, rows][:, :, columns]
