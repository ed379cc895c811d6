"""The networks of ICM and how they compute: pure functions of parameters and images."""

import functools
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
from icm_jax.systems.icm.competition import ExpertOutputs, KeyedImages, Wins
from icm_jax.systems.icm.networks.discriminators import ConvDiscriminator
from icm_jax.systems.icm.networks.experts import PENALTY
from icm_jax.systems.icm.networks.normalization import Statistics
from icm_jax.systems.icm.networks.registry import EXPERTS

PyTree = Any
# images [B, H, W, C] -> logits [B]
ScoreFn = Callable[[jax.Array], jax.Array]
# (score, wins) -> the experts' gradients, leaves [E, ...]; this device's share
WinnersGradient = Callable[[ScoreFn, Wins], PyTree]


class Model(NamedTuple):
    """The networks and optimizers that a config names; pure functions hang on them.

    `winner_loss` is what a winner pays for its output, logits to losses; `keep` the weight of the
    mean squared error from output to input, which it pays besides; `balance` how far a surplus of
    wins lowers an expert's scores, see `balance.handicaps`; `average` what a step leaves of
    the averages that experts are evaluated with, 0 where there are none.
    """

    expert: nn.Module
    discriminator: nn.Module
    expert_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation
    winner_loss: competition.LossFn = competition.canonical_loss
    keep: float = 0.0
    balance: float = 0.0
    average: float = 0.0

    @property
    def on_cpu(self) -> bool:
        """Whether its steps are for a CPU."""
        return self.expert.compute.on_cpu

    def scoring_pass(
        self, params: PyTree, images: jax.Array, keys: jax.Array | None = None
    ) -> tuple[ExpertOutputs, PyTree]:
        """What all experts make, leaves `[E, B, ...]`, and their batch statistics `[E, ...]`.

        Args:
          params: leaves `[E, ...]`.
          images: float32 `[B, H, W, C]`, the same for all, or `[E, B, H, W, C]`.
          keys: `[B]`, the same for all, for experts that draw something.
        """

        def one(params, images=images):
            return self._apply({"params": params}, KeyedImages(images, keys), "batch")

        return _each_expert(one, self.on_cpu, params, *([images] if images.ndim == 5 else []))

    def differentiable(self, params: PyTree, statistics: PyTree, reference: KeyedImages) -> PyTree:
        """`statistics` of all experts with the gradient of those of the `reference` images.

        All leaves of parameters and statistics, those returned too, are `[E, ...]`.
        """

        def one(params, statistics):
            variables = {"params": params, "batch_stats": statistics}
            return self._apply(variables, reference, "reference")[1]

        return _each_expert(one, self.on_cpu, params, statistics)

    def restore(self, params: PyTree, statistics: PyTree, images: jax.Array) -> jax.Array:
        """Outputs `[B, H, W, C]` of one expert that normalises with the statistics given.

        Nothing is drawn: the same float32 images `[B, H, W, C]` in [0, 1] give the same outputs.
        """
        variables = {"params": params, "batch_stats": statistics}
        return self._apply(variables, KeyedImages(images), "given")[0].outputs

    def restore_all(
        self, params: PyTree, statistics: PyTree, images: jax.Array, apart: bool
    ) -> jax.Array:
        """As `restore`, of all experts: leaves `[E, ...]`, outputs `[E, B, H, W, C]`.

        `apart` says whether one after the other or all at once.
        """

        def one(params, statistics):
            return self.restore(params, statistics, images)

        return _each_expert(one, apart, params, statistics)

    def competing(
        self, params: PyTree, batch: KeyedImages, reference: KeyedImages | None
    ) -> tuple[ExpertOutputs, PyTree, WinnersGradient]:
        """The scoring pass of all experts, and the gradient that its winners will have.

        Args:
          params: leaves `[E, ...]`.
          batch: B images, for all experts.
          reference: R images, see `steps.Batch`; None for the masked form, which takes the whole
            batch.

        Returns:
          As `scoring_pass`, penalties with what `keep` adds, and the function that computes the
          gradient.
        """
        score_all = functools.partial(self._scoring_pass_and_keep, batch)
        if reference is None:
            made, pull_back, statistics = jax.vjp(score_all, params, has_aux=True)
            return made, statistics, functools.partial(self._masked, made, pull_back)
        made, statistics = score_all(params)
        gathered = functools.partial(self._gathered, params, statistics, batch, reference)
        return made, statistics, gathered

    def logits(self, params: PyTree, images: jax.Array) -> jax.Array:
        """The discriminator's logits, float32 `[...]`, of images `[..., H, W, C]` in [0, 1]."""
        flat = images.reshape(-1, *images.shape[-3:])
        return self.discriminator.apply({"params": params}, flat).reshape(images.shape[:-3])

    def _apply(
        self, variables: PyTree, batch: KeyedImages, statistics: Statistics
    ) -> tuple[ExpertOutputs, PyTree]:
        """What one expert makes of images, and its batch statistics."""
        outputs, updates = self.expert.apply(
            variables, batch.images, statistics, batch.keys, mutable=["batch_stats", PENALTY]
        )
        penalties = jax.tree.leaves(updates.get(PENALTY))
        made = ExpertOutputs(outputs, sum(penalties) if penalties else None)
        return made, updates.get("batch_stats", {})

    def _scoring_pass_and_keep(
        self, batch: KeyedImages, params: PyTree
    ) -> tuple[ExpertOutputs, PyTree]:
        made, statistics = self.scoring_pass(params, *batch)
        return jax.vmap(self._add_keep, (0, None))(made, batch.images), statistics

    def _add_keep(self, made: ExpertOutputs, images: jax.Array) -> ExpertOutputs:
        """What one expert made of images `[B, H, W, C]`, with what it costs to have left them."""
        if not self.keep:
            return made
        left = jnp.square(made.outputs - images).mean(axis=(1, 2, 3))
        return made._replace(penalties=competition.with_penalties(self.keep * left, made.penalties))

    def _masked(
        self,
        made: ExpertOutputs,
        pull_back: Callable[[ExpertOutputs], PyTree],
        score: ScoreFn,
        wins: Wins,
    ) -> PyTree:
        """The gradient through all that experts made, the losers' being zero."""
        return pull_back(competition.winner_gradient(self._price(score), made, wins))[0]

    def _gathered(
        self,
        params: PyTree,
        statistics: PyTree,
        batch: KeyedImages,
        reference: KeyedImages,
        score: ScoreFn,
        wins: Wins,
    ) -> PyTree:
        """The gradient through the winners, run again, and the reference images' statistics."""

        def loss(params):
            experts = params, self.differentiable(params, statistics, reference)
            return competition.winners_loss(
                self._make_alone, self._price(score), experts, batch, wins
            )

        return jax.grad(loss)(params)

    def _make_alone(self, expert: tuple[PyTree, PyTree], batch: KeyedImages) -> ExpertOutputs:
        """What one expert makes; no image has a part in what it makes of another."""
        params, statistics = expert
        made, _ = self._apply({"params": params, "batch_stats": statistics}, batch, "given")
        return self._add_keep(made, batch.images)

    def _price(self, score: ScoreFn) -> competition.PriceFn:
        return lambda outputs: self.winner_loss(score(outputs))


def _each_expert(fn: Callable[..., PyTree], apart: bool, *args: PyTree) -> PyTree:
    """`jax.vmap(fn)(*args)` over experts, or one call an expert; on a CPU its activations then stay
    in the caches, where those of all experts go through memory after every layer.
    """
    if not apart:
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
        balance=config.competition.balance,
        average=config.experts.average,
    )
