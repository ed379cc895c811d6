"""What a discriminator learns in a step: to tell real images from those that are made."""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import optax

from icm_jax import collectives
from icm_jax.supervised import Learner, descend
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.losses import Adversarial
from icm_jax.systems.counterfactual.networks.discriminators import score_in_training


class Labelled(NamedTuple):
    """Images float32 `[b, S, S, C]` in [-1, 1] and their labels int32 `[b]`."""

    images: jax.Array
    labels: jax.Array


class Rule(NamedTuple):
    """How a discriminator learns.

    Attributes:
      discriminator: `(images, labels, train) -> scores`.
      optimizer: of its parameters.
      adversarial: its losses.
      axis_name: device axis, or None.
    """

    discriminator: nn.Module
    optimizer: optax.GradientTransformation
    adversarial: Adversarial
    axis_name: str | None


def update_discriminator(
    rule: Rule, learner: Learner, real: Labelled, made: Labelled, key: jax.Array
) -> tuple[Learner, jax.Array]:
    """A step of the discriminator, along half the mean of both kinds' losses.

    Args:
      rule: how it learns.
      learner: before the step.
      real: this device's share of real images, which are scored first.
      made: of as many that are made.
      key: typed key `[]`, of what is dropped.

    Returns:
      It after the step, and the sum of half its losses over this device's images, float32 `[]`.
    """
    real_key, made_key = jax.random.split(key)
    score = functools.partial(score_in_training, rule.discriminator)
    size = len(real.images) * collectives.size(rule.axis_name)

    def value(params: PyTree):
        before = learner.parameters._replace(params=params)
        on_real, stats = score(before, *real, real_key)
        on_made, stats = score(before._replace(batch_stats=stats), *made, made_key)
        total = (rule.adversarial.real(on_real) + rule.adversarial.made(on_made)).sum() / 2
        return total / size, (stats, total)

    gradient, (stats, total) = jax.grad(value, has_aux=True)(learner.parameters.params)
    return descend(rule.optimizer, learner, gradient, stats, rule.axis_name), total
