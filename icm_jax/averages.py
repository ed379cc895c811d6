"""Running averages of what is learned, which is evaluated in place of its last values."""

import jax
import jax.numpy as jnp

from icm_jax.system import PyTree


def move_average(average: PyTree, new: PyTree, decay: float, steps: jax.Array) -> PyTree:
    """The average after a step.

    So that the beginning does not stay in it, it begins as a mean over few.

    Args:
      average: before the step.
      new: what the step came to, likewise.
      decay: what a step leaves of the average, in [0, 1), once there were many.
      steps: before this one, int32 `[]`.
    """
    kept = jnp.minimum(decay, (1.0 + steps) / (10.0 + steps))
    return jax.tree.map(lambda old, new: kept * old + (1.0 - kept) * new, average, new)
