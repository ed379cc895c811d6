"""The steps of ICM: pure functions of the networks, the state and a batch."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from icm_jax import collectives
from icm_jax.chunks import equal_parts
from icm_jax.system import Mean, Metrics
from icm_jax.systems.icm import competition, restarts
from icm_jax.systems.icm.model import Keys, Model

PyTree = Any

# That a CPU's caches take: five experts' outputs of 32 images of 28x28. With 100 experts the
# discriminator's activations went through memory otherwise, and a step took a fifth longer.
_PART_PIXELS = 5 * 32 * 28 * 28


class Experts(NamedTuple):
    """All experts: every leaf has a leading axis E. `statistics` are running batch statistics."""

    params: PyTree
    statistics: PyTree
    opt_state: PyTree


class Discriminator(NamedTuple):
    """Parameters and optimizer state of the discriminator."""

    params: PyTree
    opt_state: PyTree


class State(NamedTuple):
    """Everything that a run needs to go on.

    `share` is the experts' running share of wins, float32 `[E]`; `steps` counts the steps of the
    competition, int32 `[]`.
    """

    experts: Experts
    discriminator: Discriminator
    share: jax.Array
    steps: jax.Array


def init(model: Model, count: int, example: jax.Array, key: jax.Array) -> State:
    """Fresh parameters for `count` experts, each of its own key, and the discriminator.

    `model` is one without a device axis; `example` an image batch `[1, H, W, C]` of the shape
    that will come.
    """
    experts_key, discriminator_key = jax.random.split(key)
    variables = jax.vmap(lambda k: model.expert.init(k, example))(
        jax.random.split(experts_key, count)
    )
    params = variables["params"]
    opt_state = jax.vmap(model.expert_optimizer.init)(params)
    experts = Experts(params, variables["batch_stats"], opt_state)
    params = model.discriminator.init(discriminator_key, example)["params"]
    discriminator = Discriminator(params, model.discriminator_optimizer.init(params))
    return State(experts, discriminator, jnp.full(count, 1.0 / count, jnp.float32), jnp.int32(0))


def reproduction_step(
    model: Model,
    state: State,
    inputs: jax.Array,
    targets: jax.Array,
    momentum: float,
    rate: jax.Array | float = 1.0,
    axis_name: str | None = None,
    keys: jax.Array | None = None,
) -> tuple[State, Metrics]:
    """Every expert learns, by its squared error, to make the targets of its inputs.

    Where both are the same transformed images this is the approximate identity initialization. An
    expert also pays the penalties of its outputs.

    Args:
      model: networks and optimizers.
      state: before the step.
      inputs: images `[B, H, W, C]` for all experts, or `[E, B, H, W, C]`, for each its own; this
        device's share.
      targets: `[B, H, W, C]`, likewise.
      momentum: of the running batch statistics.
      rate: factor on the learning rate, `[]`.
      axis_name: device axis, or None.
      keys: `[B]`, this device's share, for what experts draw.

    Returns:
      The state after the step and `reproduction_error`, the mean squared error of each expert,
      with `penalty`, the mean of what its outputs cost besides, where they cost anything.
    """
    experts = state.experts
    devices = collectives.size(axis_name)

    def loss(params):
        made, statistics = model.scoring_pass(params, inputs, keys)
        errors = jnp.square(made.outputs - targets[None]).mean(axis=(1, 2, 3, 4)) / devices  # [E]
        means = {"reproduction_error": errors}
        if made.penalties is not None:
            means["penalty"] = made.penalties.mean(axis=1) / devices
        return sum(means.values()).sum(), (means, statistics)

    gradients, (means, statistics) = jax.grad(loss, has_aux=True)(experts.params)
    gradients, means = collectives.psum((gradients, means), axis_name)
    everyone = jnp.ones(means["reproduction_error"].shape, bool)
    params, opt_state = competition.update_won(
        model.expert_optimizer, gradients, experts.opt_state, experts.params, everyone, rate
    )
    statistics = _running(experts.statistics, statistics, momentum)
    metrics = {name: Mean(mean, jnp.ones_like(mean)) for name, mean in means.items()}
    return state._replace(experts=Experts(params, statistics, opt_state)), metrics


def competition_step(
    model: Model,
    state: State,
    transformed: jax.Array,
    canonical: jax.Array,
    reference: jax.Array | None,
    momentum: float,
    rate: jax.Array | float = 1.0,
    axis_name: str | None = None,
    keys: Keys = Keys(),  # noqa: B008 - immutable
) -> tuple[State, dict[str, Mean]]:
    """One step of experts and discriminator, both against the other's present parameters.

    Args:
      model: networks and optimizers.
      state: before the step.
      transformed: images `[B, H, W, C]` of unknown mechanisms, this device's share.
      canonical: images `[B, H, W, C]`, likewise.
      reference: images `[R, H, W, C]` of the transformed batch of all devices, the same on each:
        the gradient of the batch statistics goes through these (see `BatchNorm`), and winners run
        again. None: it goes through all images, and the losers are masked.
      momentum: of the running batch statistics.
      rate: factor on all learning rates, `[]`.
      axis_name: device axis, or None.
      keys: of transformed images and reference, for what experts draw.

    Returns:
      The state after the step and the metrics (see `_metrics`).
    """
    experts, discriminator = state.experts, state.discriminator
    made, statistics, winners_gradient = model.competing(
        experts.params, transformed, reference, keys
    )

    d_loss, scores, canonical_scores, d_gradients = competition.discriminator_gradient(
        model.logits,
        discriminator.params,
        made.outputs,
        canonical,
        axis_name,
        _parts(made.outputs.shape),
    )
    wins = competition.winners(scores, axis_name)
    score = functools.partial(model.logits, discriminator.params)

    e_gradients = winners_gradient(score, wins)
    e_gradients, d_gradients, d_loss = collectives.psum(
        (e_gradients, d_gradients, d_loss), axis_name
    )

    e_params, e_opt_state = competition.update_won(
        model.expert_optimizer, e_gradients, experts.opt_state, experts.params, wins.count > 0, rate
    )
    updates, d_opt_state = model.discriminator_optimizer.update(
        d_gradients, discriminator.opt_state, discriminator.params
    )
    updates = jax.tree.map(lambda u: rate * u, updates)
    d_params = optax.apply_updates(discriminator.params, updates)
    state = state._replace(
        experts=Experts(e_params, _running(experts.statistics, statistics, momentum), e_opt_state),
        discriminator=Discriminator(d_params, d_opt_state),
        steps=state.steps + 1,
    )
    losses = competition.with_penalties(model.winner_loss(scores), made.penalties)
    return state, _metrics(wins, losses, scores, canonical_scores, d_loss, axis_name)


def restart_step(state: State, key: jax.Array, settings: restarts.Settings) -> tuple[State, Mean]:
    """Restarts an idle expert, every so many steps.

    Args:
      state: after `competition_step`, its shares of wins brought up to date.
      key: for the perturbation of the restarted expert.
      settings: see `restarts.Settings`.

    Returns:
      The state after it and the number of restarts, a mean over steps.
    """
    params, *rest = state.experts

    def look(params, rest, share):
        return restarts.restart_idle(params, rest, share, key, settings)

    def wait(params, rest, share):
        return params, rest, share, jnp.bool_(False)

    params, rest, share, restarted = jax.lax.cond(
        state.steps % settings.every == 0, look, wait, params, rest, state.share
    )
    state = state._replace(experts=Experts(params, *rest), share=share)
    return state, Mean(restarted.astype(jnp.float32), jnp.float32(1))


def prune(state: State, least: float) -> tuple[State, np.ndarray]:
    """Drops the experts whose running share of wins is below `least`, but never the busiest.

    Returns:
      The state of the K experts kept, and their numbers, int `[K]`, in order.
    """
    share = np.asarray(state.share)
    kept = np.flatnonzero((share >= least) | (share == share.max()))
    experts = jax.tree.map(lambda t: t[kept], state.experts)
    return state._replace(experts=experts, share=state.share[kept]), kept


def _parts(shape: Sequence[int]) -> int:
    """Into how many parts the discriminator takes outputs `[E, B, H, W, C]`; see `_PART_PIXELS`."""
    if jax.default_backend() != "cpu":
        return 1
    return equal_parts(shape[0], _PART_PIXELS // math.prod(shape[1:4]))


def _running(average: PyTree, batch: PyTree, momentum: float) -> PyTree:
    return jax.tree.map(lambda a, b: momentum * a + (1.0 - momentum) * b, average, batch)


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
    sums = losses, jax.nn.sigmoid(scores.max(axis=0)).sum(), jax.nn.sigmoid(canonical_scores).sum()
    losses, winner_score, canonical_score = collectives.psum(sums, axis_name)
    batch = wins.count.sum()
    return {
        "wins": Mean(wins.count, jnp.full_like(wins.count, batch)),
        "expert_loss": Mean(losses, wins.count),
        "discriminator_loss": Mean(d_loss, jnp.ones_like(d_loss)),
        "winner_score": Mean(winner_score, batch),
        "canonical_score": Mean(canonical_score, batch),
    }
