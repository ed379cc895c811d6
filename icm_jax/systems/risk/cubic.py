"""A cubic with noise of known, uneven strength: what is uncertain about it is known exactly."""

from typing import NamedTuple

import numpy as np

ROWS = 2000
TEST_ROWS = 500


class Cubic(NamedTuple):
    """Points `y = x**3 / 6 + noise` to train on, and the curve itself beyond them to test on.

    Attributes:
      train_features: float32 `[n, 1]`, x from the triangular distribution (-4, 2, 4).
      train_targets: float32 `[n, 1]`, y with noise.
      test_features: float32 `[m, 1]`, evenly from -6 to 6.
      test_targets: float32 `[m, 1]`, y without noise.
      train_sigma: float32 `[n, 1]`, the true standard deviation of the noise there.
      test_sigma: float32 `[m, 1]`, likewise.
    """

    train_features: np.ndarray
    train_targets: np.ndarray
    test_features: np.ndarray
    test_targets: np.ndarray
    train_sigma: np.ndarray
    test_sigma: np.ndarray


def mean(x: np.ndarray) -> np.ndarray:
    """The curve: `x**3 / 6`."""
    return x**3 / 6


def sigma(x: np.ndarray) -> np.ndarray:
    """The standard deviation of the noise at x: 2.2 at -1, and 0.2 far from there."""
    return 2 * np.exp(-((x + 1) ** 2)) + 0.2


def draw_cubic(seed: int, rows: int = ROWS, test_rows: int = TEST_ROWS) -> Cubic:
    """Draws the data.

    A third of the range to test on, |x| > 4, has no point to train on, and there are few near -4.

    Args:
      seed: of the points and their noise, 0 to 2**32 - 1.
      rows: n.
      test_rows: m.
    """
    random = np.random.RandomState(seed)
    x = random.triangular(-4, 2, 4, rows)[:, None]
    y = mean(x) + sigma(x) * random.standard_normal(x.shape)
    grid = np.linspace(-6, 6, test_rows)[:, None]
    arrays = (x, y, grid, mean(grid), sigma(x), sigma(grid))
    return Cubic(*(array.astype(np.float32) for array in arrays))
