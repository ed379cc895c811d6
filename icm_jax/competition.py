"""The competition: scores -> winners -> the experts' and the discriminator's gradients.

Everything here is pure and knows neither data nor optimizer. Networks are given as functions of
one expert's variables and one batch; `jax.vmap` makes them E experts.

Batch statistics. The scoring pass normalises with the statistics of the whole batch, seen by each
expert. The update takes these as constants. So an image's output in the update is its output in
the scoring, whichever images are beside it, and running the winners again on the images they won
("gathered") has the gradient of masking the losers ("masked").
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from icm_jax import collectives

PyTree = Any
# (params, statistics, images [B, H, W, C]) -> images [B, H, W, C], for one expert
ExpertFn = Callable[[PyTree, PyTree, jax.Array], jax.Array]
# images [B, H, W, C] -> logits [B]
ScoreFn = Callable[[jax.Array], jax.Array]


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
    """
    chex.assert_rank(scores, 2)
    winner = jnp.argmax(scores, axis=0).astype(jnp.int32)
    onehot = jax.nn.one_hot(winner, scores.shape[0], axis=0)
    return Wins(winner, onehot, collectives.psum(onehot.sum(axis=1), axis_name))


def canonical_loss(logits: jax.Array) -> jax.Array:
    """-log D(x) for each logit: what the discriminator pays for a canonical image.

    It is also what a winner pays for its output (Parascandolo et al. 2018: the winner maximises
    log D). Any shape in, the same shape out.
    """
    return jax.nn.softplus(-logits)


def expert_output_loss(logits: jax.Array) -> jax.Array:
    """-log(1 - D(x)) for each logit: what the discriminator pays for an expert's output."""
    return jax.nn.softplus(logits)


def masked_gradient(
    expert: ExpertFn,
    score: ScoreFn,
    params: PyTree,
    statistics: PyTree,
    images: jax.Array,
    wins: Wins,
) -> PyTree:
    """The winners' gradient in its plain form: all outputs, the losers' losses masked to zero.

    An expert's loss is the mean of `canonical_loss` over the images that it won on all devices;
    an expert that won nothing has gradient zero. This is the reference for `gathered_gradient`.

    Args:
      expert: one expert's function.
      score: images to logits, with the discriminator's parameters closed over.
      params: the experts' parameters, leaves `[E, ...]`.
      statistics: the batch statistics of the scoring pass, leaves `[E, ...]`; constants here.
      images: float32 `[B, H, W, C]`, this device's share.
      wins: of the scoring pass.

    Returns:
      Gradients like `params`; this device's share, to be summed over devices.
    """
    weight = wins.onehot / jnp.maximum(wins.count, 1.0)[:, None]

    def loss(params):
        outputs = jax.vmap(expert, (0, 0, None))(params, statistics, images)
        logits = score(_merge(outputs)).reshape(weight.shape)
        return (weight * canonical_loss(logits)).sum()

    return jax.grad(loss)(params)


def gathered_gradient(
    expert: ExpertFn,
    score: ScoreFn,
    params: PyTree,
    statistics: PyTree,
    images: jax.Array,
    wins: Wins,
    block: int = 2,
) -> PyTree:
    """The gradient of `masked_gradient`, computed for the won images alone.

    The images are sorted by winner into blocks of `block` images of one expert each. Any split
    of the wins fits into (B + E (block - 1)) // block blocks, so shapes are static; places that
    stay empty weigh nothing. Arguments and result are those of `masked_gradient`.
    """
    expert_of, index, valid = _blocks(wins, block)
    weight = valid / jnp.maximum(wins.count, 1.0)[expert_of][:, None]
    block_params, block_statistics = jax.tree.map(lambda t: t[expert_of], (params, statistics))

    def loss(block_params):
        outputs = jax.vmap(expert)(block_params, block_statistics, images[index])
        logits = score(_merge(outputs)).reshape(weight.shape)
        return (weight * canonical_loss(logits)).sum()

    gradients = jax.grad(loss)(block_params)
    experts = wins.onehot.shape[0]
    return jax.tree.map(lambda g: jax.ops.segment_sum(g, expert_of, experts), gradients)


def _blocks(wins: Wins, block: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Expert `[K]`, image indices `[K, block]` and validity float32 `[K, block]` of K blocks."""
    experts, batch = wins.onehot.shape
    count = wins.onehot.sum(axis=1).astype(jnp.int32)  # [E], on this device
    last_block = jnp.cumsum((count + block - 1) // block)
    first_block = last_block - (count + block - 1) // block
    first_image = jnp.cumsum(count) - count
    number = jnp.arange((batch + experts * (block - 1)) // block)
    expert_of = jnp.minimum(jnp.searchsorted(last_block, number, side="right"), experts - 1)
    place = (number - first_block[expert_of])[:, None] * block + jnp.arange(block)[None]
    valid = place < count[expert_of][:, None]
    by_winner = jnp.argsort(wins.winner)
    index = by_winner[jnp.where(valid, first_image[expert_of][:, None] + place, 0)]
    return expert_of, index, valid.astype(jnp.float32)


def _merge(images: jax.Array) -> jax.Array:
    """`[E, B, H, W, C]` -> `[E * B, H, W, C]`."""
    return images.reshape(-1, *images.shape[2:])


def update_won(
    optimizer: optax.GradientTransformation,
    gradients: PyTree,
    opt_state: PyTree,
    params: PyTree,
    won: jax.Array,
) -> tuple[PyTree, PyTree]:
    """One optimizer step for the experts that won something; the others keep all they have.

    Args:
      optimizer: of one expert.
      gradients: leaves `[E, ...]`.
      opt_state: leaves `[E, ...]`.
      params: leaves `[E, ...]`.
      won: bool `[E]`.

    Returns:
      New parameters and optimizer state.
    """

    def update(gradients, opt_state, params, won):
        updates, new_opt_state = optimizer.update(gradients, opt_state, params)
        new = optax.apply_updates(params, updates), new_opt_state
        return jax.tree.map(lambda n, o: jnp.where(won, n, o), new, (params, opt_state))

    return jax.vmap(update)(gradients, opt_state, params, won)


def discriminator_loss(
    outputs_logits: jax.Array, canonical_logits: jax.Array, axis_name: str | None = None
) -> jax.Array:
    """Equation 3 of the seed's slides, negated: all experts' outputs count, losers included.

    Args:
      outputs_logits: `[E, B]` of the experts' outputs.
      canonical_logits: `[B]` of canonical images.
      axis_name: device axis; the loss is then this device's share of the mean over all devices,
        to be summed.

    Returns:
      float32 `[]`: E_P[-log D(x)] + (1/E) sum_j E_Q[-log(1 - D(E_j(x')))].
    """
    chex.assert_rank([outputs_logits, canonical_logits], [2, 1])
    chex.assert_equal_shape_suffix([outputs_logits, canonical_logits], 1)
    loss = expert_output_loss(outputs_logits).mean() + canonical_loss(canonical_logits).mean()
    return loss / collectives.size(axis_name)
