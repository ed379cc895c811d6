"""The networks of ICM and how they compute: pure functions of parameters and images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import optax
from ml_collections import ConfigDict

from icm_jax import competition
from icm_jax.networks.activations import ACTIVATIONS
from icm_jax.networks.compute import Compute
from icm_jax.networks.discriminators import ConvDiscriminator
from icm_jax.networks.experts import ConvExpert

PyTree = Any
# (score, wins) -> the experts' gradients, leaves [E, ...]; this device's share
WinnersGradient = Callable[[competition.ScoreFn, competition.Wins], PyTree]


class Model(NamedTuple):
    """The networks and optimizers that a config names; pure functions hang on them."""

    expert: nn.Module
    discriminator: nn.Module
    expert_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation

    def scoring_pass(self, params: PyTree, images: jax.Array) -> tuple[jax.Array, PyTree]:
        """Outputs `[E, B, H, W, C]` of all experts, and their batch statistics.

        Images are `[B, H, W, C]`, the same for all, or `[E, B, H, W, C]`.
        """

        def one(params, images):
            outputs, updates = self.expert.apply(
                {"params": params}, images, mutable=["batch_stats"]
            )
            return outputs, updates["batch_stats"]

        return jax.vmap(one, (0, 0 if images.ndim == 5 else None))(params, images)

    def differentiable(self, params: PyTree, statistics: PyTree, reference: jax.Array) -> PyTree:
        """`statistics` of all experts with the gradient of those of the `reference` images."""

        def one(params, statistics):
            variables = {"params": params, "batch_stats": statistics}
            _, updates = self.expert.apply(
                variables, reference, "reference", mutable=["batch_stats"]
            )
            return updates["batch_stats"]

        return jax.vmap(one)(params, statistics)

    def restore(self, params: PyTree, statistics: PyTree, images: jax.Array) -> jax.Array:
        """Outputs `[B, H, W, C]` of one expert that normalises with the statistics given."""
        variables = {"params": params, "batch_stats": statistics}
        return self.expert.apply(variables, images, "given")

    def competing(
        self, params: PyTree, images: jax.Array, reference: jax.Array | None
    ) -> tuple[jax.Array, PyTree, WinnersGradient]:
        """The scoring pass of all experts, and the gradient that its winners will have.

        Args:
          params: leaves `[E, ...]`.
          images: `[B, H, W, C]`.
          reference: `[R, H, W, C]`; None for the masked form, which takes the whole batch.

        Returns:
          As `scoring_pass`, and the function that computes the gradient.
        """
        if reference is None:
            outputs, pull_back, statistics = jax.vjp(
                lambda params: self.scoring_pass(params, images), params, has_aux=True
            )

            def masked(score, wins):
                return pull_back(competition.winner_gradient(score, outputs, wins))[0]

            return outputs, statistics, masked

        outputs, statistics = self.scoring_pass(params, images)

        def gathered(score, wins):
            def loss(params):
                moving = self.differentiable(params, statistics, reference)
                return competition.winners_loss(self.restore, score, params, moving, images, wins)

            return jax.grad(loss)(params)

        return outputs, statistics, gathered

    def logits(self, params: PyTree, images: jax.Array) -> jax.Array:
        """The discriminator's logits `[...]` of images `[..., H, W, C]`."""
        flat = images.reshape(-1, *images.shape[-3:])
        return self.discriminator.apply({"params": params}, flat).reshape(images.shape[:-3])


def make_model(config: ConfigDict, axis_name: str | None = None) -> Model:
    """The networks and optimizers of `config.experts` and `config.discriminator`."""
    compute = Compute(config.precision, config.convolution)
    return Model(
        expert=ConvExpert(
            filters=config.experts.filters,
            layers=config.experts.layers,
            activation=ACTIVATIONS[config.experts.activation],
            axis_name=axis_name,
            compute=compute,
        ),
        discriminator=ConvDiscriminator(
            stages=config.discriminator.stages,
            hidden=config.discriminator.hidden,
            activation=ACTIVATIONS[config.discriminator.activation],
            compute=compute,
        ),
        expert_optimizer=optax.adam(config.experts.learning_rate),
        discriminator_optimizer=optax.adam(config.discriminator.learning_rate),
    )
