"""How well images were restored, and means over groups such as mechanisms."""

import chex
import numpy as np

from icm_jax.evaluation import indices

# Equal images would have an infinite PSNR, which JSON cannot hold: 1e-10 caps it at 100 dB.
_SMALLEST_MSE = 1e-10


def psnr(images: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Measures the peak signal-to-noise ratio, `10 log10(1 / MSE)`, of every image.

    Args:
      images: float `[N, H, W, C]` in `[0, 1]`.
      reference: float `[N, H, W, C]` in `[0, 1]`, what the images should be.

    Returns:
      float64 `[N]` in decibels, at most 100, which stands for equal images too.

    Raises:
      AssertionError: the arrays are not float `[N, H, W, C]` of the same shape.
    """
    images, reference = np.asarray(images), np.asarray(reference)
    chex.assert_rank([images, reference], 4)
    chex.assert_equal_shape([images, reference])
    chex.assert_type([images, reference], float)
    error = np.square(images - reference).mean(axis=(1, 2, 3), dtype=np.float64)
    return -10 * np.log10(np.maximum(error, _SMALLEST_MSE))


def group_mean(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Averages the values of each group.

    Args:
      values: float, int or bool `[N]`.
      group: int `[N]` in `[0, groups)`.
      groups: G.

    Returns:
      float64 `[G]`; nan for a group without values.

    Raises:
      AssertionError: the two arrays are not `[N]` of the same N.
      ValueError: a group is out of range.
    """
    values, group = np.asarray(values), np.asarray(group)
    chex.assert_rank([values, group], 1)
    chex.assert_equal_shape([values, group])
    chex.assert_type(group, int)
    indices.check("group", group, groups)
    counts = np.bincount(group, minlength=groups)
    totals = np.bincount(group, weights=values, minlength=groups)
    return np.divide(totals, counts, out=np.full(groups, np.nan), where=counts > 0)
