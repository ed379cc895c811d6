"""The state of an invariant classifier, and what its methods are made of."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from ml_collections import ConfigDict

from icm_jax.supervised import Batch, Learner
from icm_jax.system import Metrics, PyTree


class State(NamedTuple):
    """Everything that a run needs to go on.

    Attributes:
      learner: the classifier.
      steps: that it has learned for, int32 `[]`, where the method counts them; else ().
      weights: of groups, float32 `[G]`, where the method has them; else ().
      predictors: of colours, a `Learner`, where the method has them; else ().
    """

    learner: Learner
    steps: PyTree = ()
    weights: PyTree = ()
    predictors: PyTree = ()


class Parts(NamedTuple):
    """What a method is given.

    Attributes:
      config: a validated config.
      network: the classifier.
      outside: the same outside of the step, where there is no device axis.
      draw: `(state, data, key) -> batch, metrics`.
      example: an image like those to learn, `[1, S, S, 3]`.
      groups: how many of them the method is told of.
      axis_name: device axis, or None.
    """

    config: ConfigDict
    network: nn.Module
    outside: nn.Module
    draw: Callable[[Any, PyTree, jax.Array], tuple[Batch, Metrics]]
    example: jax.Array
    groups: int
    axis_name: str | None


# (state, data, key) -> state, metrics
Step = Callable[[State, PyTree, jax.Array], tuple[State, Metrics]]
