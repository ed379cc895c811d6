"""The networks of ICM and how they compute: pure functions of parameters and images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax.networks.activations import ACTIVATIONS
from icm_jax.networks.compute import Compute
from icm_jax.systems.icm import competition
from icm_jax.systems.icm.networks.discriminators import ConvDiscriminator
from icm_jax.systems.icm.networks.experts import PENALTY
from icm_jax.systems.icm.networks.normalization import Statistics
from icm_jax.systems.icm.networks.registry import EXPERTS

PyTree = Any
# (score, wins) -> the experts' gradients, leaves [E, ...]; this device's share
WinnersGradient = Callable[[competition.ScoreFn, competition.Wins], PyTree]


class Keys(NamedTuple):
    """What experts that draw something draw with in training: typed keys, one an image.

    Attributes:
      images: `[B]`, of this device's images, or None: then nothing is drawn.
      reference: `[R]`, of the reference images; where these are images of the batch, their keys
        are too, so that the statistics are those of the same outputs.
    """

    images: jax.Array | None = None
    reference: jax.Array | None = None


class Made(NamedTuple):
    """What experts make of images.

    Attributes:
      outputs: `[..., B, H, W, C]`.
      penalties: float32 `[..., B]`, what an output costs its expert besides, or None.
    """

    outputs: jax.Array
    penalties: jax.Array | None


class Model(NamedTuple):
    """The networks and optimizers that a config names; pure functions hang on them.

    `winner_loss` is what a winner pays for its output, logits to losses; `keep` the weight of the
    mean squared error from output to input, which it pays besides.
    """

    expert: nn.Module
    discriminator: nn.Module
    expert_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation
    winner_loss: competition.LossFn = competition.canonical_loss
    keep: float = 0.0

    def scoring_pass(
        self, params: PyTree, images: jax.Array, keys: jax.Array | None = None
    ) -> tuple[Made, PyTree]:
        """What all experts make, leaves `[E, B, ...]`, and their batch statistics.

        Images are `[B, H, W, C]`, the same for all, or `[E, B, H, W, C]`; keys `[B]`, the same for
        all, for experts that draw something.
        """

        def one(params, images=images):
            return self._applied({"params": params}, images, "batch", keys)

        return _each_expert(one, params, *([images] if images.ndim == 5 else []))

    def differentiable(
        self,
        params: PyTree,
        statistics: PyTree,
        reference: jax.Array,
        keys: jax.Array | None = None,
    ) -> PyTree:
        """`statistics` of all experts with the gradient of those of the `reference` images."""

        def one(params, statistics):
            variables = {"params": params, "batch_stats": statistics}
            return self._applied(variables, reference, "reference", keys)[1]

        return _each_expert(one, params, statistics)

    def restore(self, params: PyTree, statistics: PyTree, images: jax.Array) -> jax.Array:
        """Outputs `[B, H, W, C]` of one expert that normalises with the statistics given.

        Nothing is drawn: the same images give the same outputs.
        """
        return self._alone(params, statistics, images).outputs

    def _alone(
        self,
        params: PyTree,
        statistics: PyTree,
        images: jax.Array,
        keys: jax.Array | None = None,
    ) -> Made:
        """What one expert makes; no image has a part in what it makes of another."""
        variables = {"params": params, "batch_stats": statistics}
        return self._applied(variables, images, "given", keys)[0]

    def _applied(
        self, variables: PyTree, images: jax.Array, statistics: Statistics, keys: jax.Array | None
    ) -> tuple[Made, PyTree]:
        outputs, updates = self.expert.apply(
            variables, images, statistics, keys, mutable=["batch_stats", PENALTY]
        )
        penalties = jax.tree.leaves(updates.get(PENALTY))
        return Made(outputs, sum(penalties) if penalties else None), updates["batch_stats"]

    def competing(
        self,
        params: PyTree,
        images: jax.Array,
        reference: jax.Array | None,
        keys: Keys = Keys(),  # noqa: B008 - immutable
    ) -> tuple[Made, PyTree, WinnersGradient]:
        """The scoring pass of all experts, and the gradient that its winners will have.

        Args:
          params: leaves `[E, ...]`.
          images: `[B, H, W, C]`.
          reference: `[R, H, W, C]`; None for the masked form, which takes the whole batch.
          keys: of both.

        Returns:
          As `scoring_pass`, penalties with what `keep` adds, and the function that computes the
          gradient.
        """

        def scored(params):
            made, statistics = self.scoring_pass(params, images, keys.images)
            return jax.vmap(self._kept, (0, None))(made, images), statistics

        if reference is None:
            made, pull_back, statistics = jax.vjp(scored, params, has_aux=True)

            def masked(score, wins):
                gradient = competition.winner_gradient(score, *made, wins, self.winner_loss)
                return pull_back(Made(*gradient))[0]

            return made, statistics, masked

        made, statistics = scored(params)

        def alone(params, statistics, images, keys):
            return self._kept(self._alone(params, statistics, images, keys), images)

        def gathered(score, wins):
            def loss(params):
                moving = self.differentiable(params, statistics, reference, keys.reference)
                return competition.winners_loss(
                    alone, score, params, moving, images, wins, keys.images, self.winner_loss
                )

            return jax.grad(loss)(params)

        return made, statistics, gathered

    def _kept(self, made: Made, images: jax.Array) -> Made:
        """What one expert made of images `[B, H, W, C]`, with what it costs to have left them."""
        if not self.keep:
            return made
        left = jnp.square(made.outputs - images).mean(axis=(1, 2, 3))
        return made._replace(penalties=competition.with_penalties(self.keep * left, made.penalties))

    def logits(self, params: PyTree, images: jax.Array) -> jax.Array:
        """The discriminator's logits `[...]` of images `[..., H, W, C]`."""
        flat = images.reshape(-1, *images.shape[-3:])
        return self.discriminator.apply({"params": params}, flat).reshape(images.shape[:-3])


def _each_expert(fn: Callable[..., PyTree], *args: PyTree) -> PyTree:
    """`jax.vmap(fn)(*args)` over experts; on a CPU one call an expert, whose activations then stay
    in its caches, where those of all experts go through memory after every layer.
    """
    if jax.default_backend() != "cpu":
        return jax.vmap(fn)(*args)
    count = jax.tree.leaves(args)[0].shape[0]
    calls = [fn(*jax.tree.map(lambda t, i=i: t[i], args)) for i in range(count)]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *calls)


def make_model(config: ConfigDict, axis_name: str | None = None) -> Model:
    """The networks and optimizers of `config.experts` and `config.discriminator`."""
    compute = Compute(config.precision, config.convolution)
    return Model(
        expert=EXPERTS[config.experts.kind](config.experts, axis_name, compute),
        discriminator=ConvDiscriminator(
            stages=config.discriminator.stages,
            hidden=config.discriminator.hidden,
            activation=ACTIVATIONS[config.discriminator.activation],
            compute=compute,
        ),
        expert_optimizer=optax.adam(config.experts.learning_rate),
        discriminator_optimizer=optax.adam(config.discriminator.learning_rate),
        winner_loss=competition.WINNER_LOSSES[config.competition.loss],
        keep=config.competition.keep,
    )
