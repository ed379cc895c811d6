"""Ends a run whose metrics or state are no numbers any more, before that is saved."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from icm_jax.training import steps
from icm_jax.training.checkpoints import Checkpoints, Leaves
from icm_jax.training.replica import Replica


class NotFinite(RuntimeError):
    """A metric or the state is not finite; the message names what, where and what is saved."""


def require_metrics(
    replicas: Sequence[Replica], intervals: Sequence[steps.Interval], saved: Checkpoints
) -> None:
    """Raises NotFinite where a metric of a replica's interval was not finite."""
    for replica, interval in zip(replicas, intervals, strict=True):
        found = steps.first_nonfinite(interval)
        if found is not None:
            raise _not_finite(replica, *found, saved)


def require_state(
    replicas: Sequence[Replica], leaves: Leaves, step: int, saved: Checkpoints
) -> None:
    """Raises NotFinite where a leaf of all replicas' state has a NaN.

    A gradient may be NaN where the loss still is a number: saved, it would end every later
    invocation. Infinity may be meant, as in "the best so far".
    """
    for path, leaf in leaves.items():
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and np.isnan(leaf).any():
            bad = np.argwhere(np.isnan(leaf))[0][0] if len(replicas) > 1 else 0
            raise _not_finite(replicas[bad], path, step, saved)


def _not_finite(replica: Replica, name: str, step: int, saved: Checkpoints) -> NotFinite:
    kept = "no checkpoint yet"
    if saved.latest is not None:
        kept = f"last good checkpoint {saved.path(saved.latest)}"
    where = f"phase {replica.phase.name}, step {step}"
    return NotFinite(f"seed {replica.run.seed}: {name} is not finite in {where}; {kept}")
