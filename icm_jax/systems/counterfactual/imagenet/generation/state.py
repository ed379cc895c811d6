"""The state of a generator on ImageNet: what is trained, and of what that is frozen."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax.supervised import make_learner
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.networks.mechanisms import Each


class State(NamedTuple):
    """Everything that a run needs to go on.

    Attributes:
      mechanisms: a `Learner` each, of BigGAN's parameters.
      frozen: the SHA-256 of each network that never learns, uint8 `[32]` by name; the network
        itself is no part of a checkpoint.
    """

    mechanisms: Each
    frozen: dict[str, jax.Array]

    @property
    def params(self) -> Each:
        """BigGAN's parameters of each mechanism."""
        return Each(*(learner.parameters.params for learner in self.mechanisms))


def make_optimizers(config: ConfigDict) -> Each:
    """Adam for each mechanism, once for the gradients of several steps."""
    rates = config.optimizer

    def accumulated(rate: float) -> optax.GradientTransformation:
        return optax.MultiSteps(
            optax.adam(rate, b1=rates.momentum),
            rates.accumulate,
            use_grad_mean=rates.reduction == "mean",
        ).gradient_transformation()

    return Each(*(accumulated(rates[name]) for name in Each._fields))


def init_state(config: ConfigDict, params: PyTree, digests: dict, key: jax.Array) -> State:
    """Mechanisms that all begin as the frozen BigGAN.

    Args:
      config: of the run.
      params: BigGAN's.
      digests: see `State.frozen`.
      key: unused: nothing is drawn.
    """
    del key
    # Each has buffers of its own: they are given away at every step.
    learners = (
        make_learner({"params": jax.tree.map(jnp.array, params)}, optimizer)
        for optimizer in make_optimizers(config)
    )
    return State(Each(*learners), jax.tree.map(jnp.array, digests))
