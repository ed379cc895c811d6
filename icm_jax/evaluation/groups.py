"""Means over groups, such as the images of each mechanism."""

import chex
import numpy as np

from icm_jax.evaluation import indices


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
