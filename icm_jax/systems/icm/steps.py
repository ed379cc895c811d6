"""The steps of ICM: pure functions of the networks, the state and a batch."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from icm_jax import collectives
from icm_jax.chunks import equal_parts
from icm_jax.system import Mean, Metrics
from icm_jax.systems.icm import balance, competition, losers, restarts
from icm_jax.systems.icm.competition import KeyedImages
from icm_jax.systems.icm.model import Model
from icm_jax.systems.icm.state import Discriminator, Experts, State, run_on

PyTree = Any

# That a CPU's caches take: five experts' outputs of 32 images of 28x28. With 100 experts the
# discriminator's activations went through memory otherwise, and a step took a fifth longer.
_PART_PIXELS = 5 * 32 * 28 * 28


class Pairs(NamedTuple):
    """What experts learn to make of what; this device's share of a batch.

    Attributes:
      inputs: float32 `[B, H, W, C]` in [0, 1] for all experts, or `[E, B, H, W, C]`, for each its
        own.
      targets: float32 `[B, H, W, C]` in [0, 1].
      keys: typed keys `[B]` for what experts draw, or None.
    """

    inputs: jax.Array
    targets: jax.Array
    keys: jax.Array | None = None


class Batch(NamedTuple):
    """What a step of the competition learns from.

    Attributes:
      transformed: B images of unknown mechanisms, this device's share.
      canonical: float32 `[B, H, W, C]` in [0, 1], likewise.
      reference: R images of the transformed batch of all devices, the same on each, with the keys
        that they have there: the gradient of the batch statistics goes through these (see
        `BatchNorm`), and winners run again. None: it goes through all images, and the losers are
        masked.
      order: float32 `[N, K, E]`, at random: this device's N blocks of K images, where the
        discriminator learns from some of the losers' outputs, see `losers`. None: from all.
    """

    transformed: KeyedImages
    canonical: jax.Array
    reference: KeyedImages | None = None
    order: jax.Array | None = None


class Schedule(NamedTuple):
    """How far a step goes.

    Attributes:
      momentum: of the running batch statistics, in [0, 1].
      rate: factor on all learning rates, `[]`.
    """

    momentum: float
    rate: jax.Array | float = 1.0


def reproduction_step(
    model: Model, state: State, pairs: Pairs, schedule: Schedule, axis_name: str | None = None
) -> tuple[State, Metrics]:
    """Every expert learns, by its squared error, to make the targets of its inputs.

    Where both are the same transformed images this is the approximate identity initialization. An
    expert also pays the penalties of its outputs.

    Args:
      model: networks and optimizers.
      state: before the step.
      pairs: inputs and targets.
      schedule: momentum and rate.
      axis_name: device axis, or None.

    Returns:
      The state after the step and `reproduction_error`, the mean squared error of each expert,
      `[E]`, with `penalty`, the mean of what its outputs cost besides, where they cost anything.

    Raises:
      AssertionError: inputs, targets and keys are of different numbers or sides.
    """
    _check_images(pairs.targets, pairs.keys)
    everyone = jnp.ones(state.share.shape, bool)  # [E]
    shape = pairs.targets.shape
    chex.assert_shape(pairs.inputs, (len(everyone), *shape) if pairs.inputs.ndim == 5 else shape)
    experts, devices = state.experts, collectives.size(axis_name)

    def loss(params):
        made, statistics = model.scoring_pass(params, pairs.inputs, pairs.keys)
        errors = jnp.square(made.outputs - pairs.targets[None]).mean(axis=(1, 2, 3, 4))  # [E]
        means = {"reproduction_error": errors / devices}
        if made.penalties is not None:
            means["penalty"] = made.penalties.mean(axis=1) / devices
        return sum(means.values()).sum(), (means, statistics)

    gradients, (means, statistics) = jax.grad(loss, has_aux=True)(experts.params)
    gradients, means = collectives.psum((gradients, means), axis_name)
    experts = _update_experts(model, state, gradients, everyone, statistics, schedule)
    metrics = {name: Mean(mean, jnp.ones_like(mean)) for name, mean in means.items()}
    return state._replace(experts=experts), metrics


def competition_step(
    model: Model, state: State, batch: Batch, schedule: Schedule, axis_name: str | None = None
) -> tuple[State, dict[str, Mean]]:
    """One step of experts and discriminator, both against the other's present parameters.

    Args:
      model: networks and optimizers.
      state: before the step; its shares of wins decide near ties, see `balance.handicaps`.
      batch: transformed and canonical images.
      schedule: momentum and rate.
      axis_name: device axis, or None.

    Returns:
      The state after the step and the metrics (see `_metrics`).

    Raises:
      AssertionError: images and keys are of different numbers or sides.
    """
    _check_images(*batch.transformed)
    chex.assert_equal_shape([batch.transformed.images, batch.canonical])
    if batch.reference is not None:
        _check_images(*batch.reference)
    experts, discriminator = state.experts, state.discriminator
    made, statistics, winners_gradient = model.competing(
        experts.params, batch.transformed, batch.reference
    )
    d_loss, scores, canonical_scores, d_gradients = _learn_to_discriminate(
        model, discriminator.params, made.outputs, batch, axis_name
    )
    handicaps = balance.handicaps(state.share, model.balance)
    wins = competition.winners(scores + handicaps[:, None], axis_name)
    e_gradients = winners_gradient(functools.partial(model.logits, discriminator.params), wins)
    e_gradients, d_gradients, d_loss = collectives.psum(
        (e_gradients, d_gradients, d_loss), axis_name
    )
    state = state._replace(
        experts=_update_experts(model, state, e_gradients, wins.count > 0, statistics, schedule),
        discriminator=_update_discriminator(model, discriminator, d_gradients, schedule.rate),
        steps=state.steps + 1,
    )
    losses = competition.with_penalties(model.winner_loss(scores), made.penalties)
    return state, _metrics(wins, losses, scores, canonical_scores, d_loss, axis_name)


def restart_step(state: State, key: jax.Array, settings: restarts.Settings) -> tuple[State, Mean]:
    """Restarts an idle expert, every so many steps.

    Args:
      state: after `competition_step`, its shares of wins brought up to date.
      key: typed key `[]`, for the perturbation of the restarted expert.
      settings: see `restarts.Settings`; `every` is at least 1.

    Returns:
      The state after it and the number of restarts, a mean over steps.

    Raises:
      AssertionError: `share` and the experts are of different numbers, `steps` is no scalar.
    """
    chex.assert_rank([state.share, state.steps, key], [1, 0, 0])
    chex.assert_equal_shape_prefix([state.share, *jax.tree.leaves(state.experts)], 1)
    params, *rest = state.experts
    params, rest, share, restarted = jax.lax.cond(
        state.steps % settings.every == 0,
        lambda *experts: restarts.restart_idle(*experts, key, settings),
        lambda *experts: (*experts, jnp.bool_(False)),
        params,
        rest,
        state.share,
    )
    state = state._replace(experts=Experts(params, *rest), share=share)
    return state, Mean(restarted.astype(jnp.float32), jnp.float32(1))


def _learn_to_discriminate(
    model: Model, params: PyTree, outputs: jax.Array, batch: Batch, axis_name: str | None
) -> tuple[jax.Array, jax.Array, jax.Array, PyTree]:
    """As `competition.discriminator_gradient`, from all or from some of the outputs."""
    parts = _parts(outputs.shape, model.on_cpu)
    given = model.logits, params, outputs, batch.canonical
    if batch.order is None:
        return competition.discriminator_gradient(*given, axis_name, parts)
    return losers.discriminator_gradient(*given, batch.order, axis_name, parts)


def _parts(shape: Sequence[int], on_cpu: bool) -> int:
    """Into how many parts the discriminator takes outputs `[E, B, H, W, C]`; see `_PART_PIXELS`."""
    return equal_parts(shape[0], _PART_PIXELS // math.prod(shape[1:4])) if on_cpu else 1


def _check_images(images: jax.Array, keys: jax.Array | None) -> None:
    """Refuses images that are not `[B, H, W, C]`, and keys that are not `[B]`."""
    chex.assert_rank(images, 4)
    if keys is not None:
        chex.assert_shape(keys, images.shape[:1])


def _update_experts(
    model: Model,
    state: State,
    gradients: PyTree,
    won: jax.Array,
    statistics: PyTree,
    schedule: Schedule,
) -> Experts:
    """All experts after a step: those that `won`, bool `[E]`, learn; statistics of all run on."""
    experts, (momentum, rate) = state.experts, schedule
    params, opt_state = competition.update_won(
        model.expert_optimizer, gradients, experts.opt_state, experts.params, won, rate
    )
    running = jax.tree.map(
        lambda old, new: momentum * old + (1.0 - momentum) * new, experts.statistics, statistics
    )
    experts = Experts(params, running, opt_state, experts.average)
    return run_on(experts, model.average, state.steps)


def _update_discriminator(
    model: Model, discriminator: Discriminator, gradients: PyTree, rate: jax.Array | float
) -> Discriminator:
    params, opt_state = discriminator
    updates, opt_state = model.discriminator_optimizer.update(gradients, opt_state, params)
    updates = jax.tree.map(lambda u: rate * u, updates)
    return Discriminator(optax.apply_updates(params, updates), opt_state)


def _metrics(
    wins: competition.Wins,
    losses: jax.Array,
    scores: jax.Array,
    canonical_scores: jax.Array,
    d_loss: jax.Array,
    axis_name: str | None,
) -> dict[str, Mean]:
    """`wins` `[E]` fraction of images, `expert_loss` `[E]` paid over won images, and scalars.

    `winner_score` and `canonical_score` are mean probabilities of being canonical.
    """
    losses = (wins.onehot * losses).sum(axis=1)
    won = (wins.onehot * scores).sum(axis=0)  # [B]
    sums = losses, jax.nn.sigmoid(won).sum(), jax.nn.sigmoid(canonical_scores).sum()
    losses, winner_score, canonical_score = collectives.psum(sums, axis_name)
    batch = wins.count.sum()
    return {
        "wins": Mean(wins.count, jnp.full_like(wins.count, batch)),
        "expert_loss": Mean(losses, wins.count),
        "discriminator_loss": Mean(d_loss, jnp.ones_like(d_loss)),
        "winner_score": Mean(winner_score, batch),
        "canonical_score": Mean(canonical_score, batch),
    }
