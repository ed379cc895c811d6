"""What one compiled step of training carries: the state, its randomness and the metrics' sums."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.training.checkpoints import Leaves, fill
from icm_jax.training.stacking import stack


class Interval(NamedTuple):
    """What is known of the steps since the last logging boundary.

    Attributes:
      metrics: name -> Mean, added up over the steps.
      nonfinite: name -> int32 `[]`, the first step (counted from 1 within the phase) at which the
        metric was not finite; -1 while there is none.
    """

    metrics: Metrics
    nonfinite: Mapping[str, jax.Array]


class Carry(NamedTuple):
    """All that goes from step to step; a checkpoint holds the whole of it.

    Attributes:
      state: the system's.
      interval: sums of the current logging interval.
      key: typed key `[]` of the phase.
      step: int32 `[]`, steps of the phase that are done.
    """

    state: PyTree
    interval: Interval
    key: jax.Array
    step: jax.Array


class Start(NamedTuple):
    """A carry of which the state alone is known; its leaf has the path that it has in `Carry`."""

    state: PyTree


def saved_state(init: Callable[[jax.Array], PyTree], leaves: Leaves, count: int) -> PyTree:
    """The state of `count` replicas out of a checkpoint, on the host.

    Args:
      init: the system's.
      leaves: of the checkpoint.
      count: how many replicas it holds.

    Raises:
      CheckpointError: it is not one of this system.
    """
    like = jax.eval_shape(lambda key: stack([init(key)] * count), jax.random.key(0))
    return fill(Start(like), leaves).state


def empty_interval(metrics: Metrics) -> Interval:
    """An interval of no steps, on the host, for metrics of these names and shapes.

    Raises:
      ValueError: a metric has the name of another field of a record.
    """
    if reserved := {"phase", "step", "evaluation"} & set(metrics):
        raise ValueError(f"a metric cannot be called {sorted(reserved)}: records use the name")
    return Interval(
        {
            name: Mean(*(np.zeros(part.shape, np.float32) for part in mean))
            for name, mean in metrics.items()
        },
        {name: np.int32(-1) for name in metrics},
    )


def accumulating(step: Callable) -> Callable:
    """Turns a phase's `(state, data, key) -> (state, metrics)` into `(carry, data) -> carry`."""

    def carried(carry: Carry, data: PyTree) -> Carry:
        key = jax.random.fold_in(carry.key, carry.step)
        state, metrics = step(carry.state, data, key)
        done = carry.step + 1
        return Carry(state, _add(carry.interval, metrics, done), carry.key, done)

    return carried


def _add(interval: Interval, metrics: Metrics, step: jax.Array) -> Interval:
    """Adds the metrics of one step, noting where one is not finite for the first time."""
    sums = jax.tree.map(lambda a, b: a + b.astype(jnp.float32), interval.metrics, dict(metrics))
    nonfinite = {}
    for name, (total, count) in metrics.items():
        finite = jnp.all(jnp.isfinite(total)) & jnp.all(jnp.isfinite(count))
        earlier = interval.nonfinite[name]
        nonfinite[name] = jnp.where((earlier >= 0) | finite, earlier, step)
    return Interval(sums, nonfinite)


def of_each(interval: Interval, count: int) -> list[Interval]:
    """The intervals of `count` replicas, on the host."""
    interval = jax.tree.map(np.asarray, interval)
    if count == 1:
        return [interval]
    return [jax.tree.map(lambda leaf: leaf[i], interval) for i in range(count)]  # noqa: B023


def values(interval: Interval) -> dict[str, np.ndarray]:
    """The means of an interval on the host: name -> float32, NaN where nothing was counted."""
    result = {}
    for name, mean in interval.metrics.items():
        total, count = mean
        nothing = np.full(total.shape, np.nan, np.float32)
        result[name] = np.divide(total, count, out=nothing, where=count != 0)
    return result


def first_nonfinite(interval: Interval) -> tuple[str, int] | None:
    """The metric that was not finite first, and its step; None where all were finite."""
    steps = {name: int(step) for name, step in interval.nonfinite.items() if step >= 0}
    return min(steps.items(), key=lambda item: item[1]) if steps else None
