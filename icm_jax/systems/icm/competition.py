"""The competition: scores -> winners -> the experts' and the discriminator's gradients.

Everything here is pure and knows neither data nor optimizer. The winners' gradient has two forms.
Masked: through all outputs of the scoring pass, the losers' gradients being zero. Gathered: each
image goes through its winner alone once more, with the batch statistics of the scoring pass.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from icm_jax import collectives

PyTree = Any
# logits [...] -> losses [...]
LossFn = Callable[[jax.Array], jax.Array]
# outputs [B, H, W, C] -> what each costs the expert that won with it, [B]
PriceFn = Callable[[jax.Array], jax.Array]


class KeyedImages(NamedTuple):
    """Images for experts, with what is drawn for them in training.

    Attributes:
      images: float32 `[B, H, W, C]` in [0, 1].
      keys: typed keys `[B]`, one an image, for experts that draw something. None: nothing is
        drawn.
    """

    images: jax.Array
    keys: jax.Array | None = None


class ExpertOutputs(NamedTuple):
    """What experts make of images.

    Attributes:
      outputs: float32 `[..., B, H, W, C]`.
      penalties: float32 `[..., B]`, what an output costs its expert besides, or None.
    """

    outputs: jax.Array
    penalties: jax.Array | None


# (what one expert has, images [B, H, W, C] and keys) -> what it makes of them, [B, ...]
ExpertFn = Callable[[PyTree, KeyedImages], ExpertOutputs]


class Wins(NamedTuple):
    """Who won what in a batch of B images, over all devices.

    `winner` is int32 `[B]`, this device's images only; `onehot` float32 `[E, B]` likewise;
    `count` float32 `[E]` counts the images won on all devices.
    """

    winner: jax.Array
    onehot: jax.Array
    count: jax.Array


def winners(scores: jax.Array, axis_name: str | None = None) -> Wins:
    """The expert with the highest score takes the image; the first of equals wins.

    Args:
      scores: float32 `[E, B]`, any monotone function of the discriminator's probability.
      axis_name: device axis over which wins are counted, or None.

    Raises:
      AssertionError: `scores` is not a matrix.
    """
    chex.assert_rank(scores, 2)
    winner = jnp.argmax(scores, axis=0).astype(jnp.int32)
    onehot = jax.nn.one_hot(winner, scores.shape[0], axis=0)
    return Wins(winner, onehot, collectives.psum(onehot.sum(axis=1), axis_name))


def canonical_loss(logits: jax.Array) -> jax.Array:
    """-log D(x) for each logit, `[...]` to `[...]`: what a canonical image costs the discriminator.

    It is also what a winner of the paper pays for its output (Parascandolo et al. 2018: the winner
    maximises log D).
    """
    return jax.nn.softplus(-logits)


def squared_loss(logits: jax.Array) -> jax.Array:
    """(1 - D(x))^2 for each logit, `[...]` to `[...]` in [0, 1].

    What a winner pays for its output in the reproduction on faces. Unlike -log D it hardly draws
    back an output that the discriminator is sure about.
    """
    return jnp.square(jax.nn.sigmoid(-logits))


# What a winner pays for its output, as a config names it.
WINNER_LOSSES: dict[str, LossFn] = {"log": canonical_loss, "squared": squared_loss}


def expert_output_loss(logits: jax.Array) -> jax.Array:
    """-log(1 - D(x)) for each logit, `[...]` to `[...]`: what an output costs the discriminator."""
    return jax.nn.softplus(logits)


class DiscriminatorLosses(NamedTuple):
    """What the discriminator pays: logits to losses, for canonical images and experts' outputs."""

    canonical: LossFn
    expert_output: LossFn


# The paper's; hinge (Lim and Ye 2017); least squares of logits to 1 and 0 (Mao et al. 2017).
DISCRIMINATOR_LOSSES = {
    "log": DiscriminatorLosses(canonical_loss, expert_output_loss),
    "hinge": DiscriminatorLosses(lambda x: jax.nn.relu(1 - x), lambda x: jax.nn.relu(1 + x)),
    "least_squares": DiscriminatorLosses(lambda x: (x - 1) ** 2 / 2, lambda x: x**2 / 2),
}


def winner_gradient(price: PriceFn, made: ExpertOutputs, wins: Wins) -> ExpertOutputs:
    """The gradient of all experts' losses, as in `winners_loss`, by what they made ("masked").

    Args:
      price: what a winner pays for its output.
      made: `[E, B, ...]`, of all experts on this device's images.
      wins: of the scores of these outputs.

    Returns:
      By outputs and penalties, of their shapes; zero for the losers of an image, to be pulled back
      through the experts.

    Raises:
      AssertionError: outputs, penalties and wins are not of the same experts and images.
    """
    chex.assert_rank(made.outputs, 5)
    chex.assert_equal_shape_prefix([*jax.tree.leaves(made), wins.onehot], 2)
    won = jax.tree.map(lambda made: made[wins.winner, jnp.arange(made.shape[1])], made)
    gradient = jax.grad(lambda won: _loss_of_won(price, won, wins))(won)
    return jax.tree.map(
        lambda g: wins.onehot.reshape(*wins.onehot.shape, *[1] * (g.ndim - 1)) * g[None], gradient
    )


def winners_loss(
    expert: ExpertFn, price: PriceFn, experts: PyTree, batch: KeyedImages, wins: Wins
) -> jax.Array:
    """The sum of all experts' losses, each the mean of price and penalty of the images it won.

    Every image runs through the expert that won it and no other ("gathered"): one image is one
    entry of a `vmap` over parameters, so that any split of the wins has the same shape. An expert
    that won nothing has no part in the sum, and gradient zero.

    Args:
      expert: one expert's function; an image's output must not depend on the images beside it.
      price: what a winner pays for its output.
      experts: what the experts have, parameters and batch statistics: leaves `[E, ...]`.
      batch: this device's share.
      wins: of these images.

    Returns:
      float32 `[]`; this device's share of the sum.

    Raises:
      AssertionError: experts, images, keys and wins are of different numbers.
    """
    chex.assert_rank(batch.images, 4)
    chex.assert_equal_shape_prefix([*jax.tree.leaves(batch), wins.winner], 1)
    chex.assert_equal_shape_prefix([*jax.tree.leaves(experts), wins.count], 1)
    own = jax.tree.map(lambda t: t[wins.winner], experts)  # leaves [B, ...]
    alone = jax.tree.map(lambda t: t[:, None], batch)
    made = jax.tree.map(lambda t: t[:, 0], jax.vmap(expert)(own, alone))
    return _loss_of_won(price, made, wins)


def _loss_of_won(price: PriceFn, made: ExpertOutputs, wins: Wins) -> jax.Array:
    """The sum of all experts' losses, given what the winner of each image made of it."""
    weight = 1.0 / wins.count[wins.winner]  # [B]; a winner's count is at least 1
    return (weight * with_penalties(price(made.outputs), made.penalties)).sum()


def with_penalties(losses: jax.Array, penalties: jax.Array | None) -> jax.Array:
    """Losses plus penalties, both `[..., B]`; the losses alone where there are none.

    Raises:
      AssertionError: they are of different shapes.
    """
    if penalties is None:
        return losses
    chex.assert_equal_shape([losses, penalties])
    return losses + penalties


def update_won(
    optimizer: optax.GradientTransformation,
    gradients: PyTree,
    opt_state: PyTree,
    params: PyTree,
    won: jax.Array,
    rate: jax.Array | float = 1.0,
) -> tuple[PyTree, PyTree]:
    """One optimizer step for the experts that won something; the others keep all they have.

    Args:
      optimizer: of one expert.
      gradients: leaves `[E, ...]`.
      opt_state: leaves `[E, ...]`.
      params: leaves `[E, ...]`.
      won: bool `[E]`.
      rate: factor on the optimizer's learning rate, `[]`.

    Returns:
      New parameters and optimizer state, leaves as before.

    Raises:
      AssertionError: `won` is not `[E]`, or gradients are not of the parameters' shapes.
    """
    chex.assert_rank(won, 1)
    chex.assert_rank(rate, 0)
    chex.assert_trees_all_equal_shapes(gradients, params)
    chex.assert_equal_shape_prefix([won, *jax.tree.leaves((opt_state, params))], 1)

    def update(gradients, opt_state, params, won):
        updates, new_opt_state = optimizer.update(gradients, opt_state, params)
        updates = jax.tree.map(lambda u: rate * u, updates)
        new = optax.apply_updates(params, updates), new_opt_state
        return jax.tree.map(lambda n, o: jnp.where(won, n, o), new, (params, opt_state))

    return jax.vmap(update)(gradients, opt_state, params, won)


def discriminator_gradient(
    logits: Callable[[PyTree, jax.Array], jax.Array],
    params: PyTree,
    outputs: jax.Array,
    canonical: jax.Array,
    axis_name: str | None = None,
    parts: int = 1,
    losses: DiscriminatorLosses = DISCRIMINATOR_LOSSES["log"],
) -> tuple[jax.Array, jax.Array, jax.Array, PyTree]:
    """The discriminator's loss and its gradient; the forward pass gives the scores too.

    Equation 3 of the seed's slides, negated: all experts' outputs count, losers included. The loss
    is E_P[-log D(x)] + (1/E) sum_j E_Q[-log(1 - D(E_j(x')))], by default.

    Args:
      logits: of parameters and images `[..., H, W, C]`: `[...]`.
      params: the discriminator's.
      outputs: float32 `[E, B, H, W, C]` of the experts.
      canonical: float32 `[B, H, W, C]`.
      axis_name: device axis; loss and gradient are then this device's share of those of all
        devices, to be summed.
      parts: of the experts, taken one after another, forward and backward, so that a part's
        activations can stay in a processor's cache; divides E.
      losses: in place of -log D and -log(1 - D).

    Returns:
      The loss, float32 `[]`, the scores (logits) of outputs `[E, B]` and of canonical images
      `[B]`, and the gradient by `params`.

    Raises:
      AssertionError: outputs and canonical images are of different numbers or sides.
    """
    chex.assert_shape(outputs, (None, *canonical.shape))
    devices = collectives.size(axis_name)
    gradient_of = jax.value_and_grad(functools.partial(_paid, logits), has_aux=True)
    (total, canonical_scores), gradient = gradient_of(
        params, losses.canonical, canonical, 1 / devices
    )
    scores = []
    for part in jnp.split(outputs, parts):
        # A part waits for the one before, or their activations would be there at once.
        params, part, gradient = jax.lax.optimization_barrier((params, part, gradient))
        (loss, part_scores), more = gradient_of(
            params, losses.expert_output, part, 1 / (parts * devices)
        )
        total, gradient = jax.tree.map(jnp.add, (total, gradient), (loss, more))
        scores.append(part_scores)
    return total, jnp.concatenate(scores), canonical_scores, gradient


def _paid(
    logits: Callable[[PyTree, jax.Array], jax.Array],
    params: PyTree,
    loss: LossFn,
    images: jax.Array,
    share: float,
) -> tuple[jax.Array, jax.Array]:
    """The mean loss of images, times `share`, and their scores."""
    scores = logits(params, images)
    return share * loss(scores).mean(), scores
