"""The discriminator's gradient from the winners' outputs and a random part of the losers'.

Of E outputs for an image E - 1 lose. The discriminator's forward and backward pass over them is
most of a step, and most of them it tells from canonical images anyway, so that they move it little.
Here all outputs are scored by a forward pass alone, and the gradient goes through those
that won and a few that lost, which stand for the other losers: its expectation is the gradient of
all. This departs from the paper (`discriminator.losers: 0` turns it off).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from icm_jax import collectives
from icm_jax.systems.icm import competition
from icm_jax.systems.icm.competition import LossFn, canonical_loss, expert_output_loss

PyTree = Any
# (parameters, images [..., H, W, C]) -> [...]
LogitsFn = Callable[[PyTree, jax.Array], jax.Array]


class Drawn(NamedTuple):
    """Outputs that stand for others.

    Attributes:
      outputs: `[E, N, H, W, C]`.
      stand_for: float32 `[E, N]`, how many outputs each stands for, itself included; 0 where it
        counts for nothing.
    """

    outputs: jax.Array
    stand_for: jax.Array


def draw(outputs: jax.Array, winner: jax.Array, order: jax.Array) -> Drawn:
    """Draws, for every expert, one output that lost from each block of consecutive images.

    Args:
      outputs: `[E, B, H, W, C]` of the experts.
      winner: int32 `[B]`, who won each image.
      order: float32 `[N, K, E]` in [0, 1), independent and uniform, N * K = B: of those of a block
        of K images that an expert lost, the one with the greatest is drawn.

    Returns:
      N outputs of each expert. Each stands for all that the expert lost in its block; for none
      where the expert won them all.

    Raises:
      AssertionError: outputs, winner and order are of different numbers.
    """
    chex.assert_rank([outputs, winner, order], [5, 1, 3])
    blocks, size, experts = order.shape
    chex.assert_shape([outputs, winner], [(experts, blocks * size, ...), (blocks * size,)])
    lost = winner.reshape(1, blocks, size) != jnp.arange(experts)[:, None, None]  # [E, N, K]
    place = jnp.where(lost, order.transpose(2, 0, 1), -1.0).argmax(axis=2)  # [E, N]
    image = size * jnp.arange(blocks)[None] + place
    drawn = outputs[jnp.arange(experts)[:, None], image]
    return Drawn(drawn, lost.sum(axis=2).astype(jnp.float32))


def discriminator_gradient(
    logits: LogitsFn,
    params: PyTree,
    outputs: jax.Array,
    canonical: jax.Array,
    order: jax.Array,
    axis_name: str | None = None,
    parts: int = 1,
) -> tuple[jax.Array, jax.Array, jax.Array, PyTree]:
    """The discriminator's loss, and an unbiased estimate of its gradient.

    As `competition.discriminator_gradient`, whose arguments these are but for `order`, see `draw`.

    Returns:
      The loss, float32 `[]`, and the scores `[E, B]` and `[B]`, all of them exact; the estimate.

    Raises:
      AssertionError: outputs, canonical images and order are of different numbers or sides.
    """
    chex.assert_shape(outputs, (None, *canonical.shape))
    devices = collectives.size(axis_name)
    scores = _score_in_parts(logits, params, outputs, parts)
    winner = competition.winners(scores).winner
    won = outputs[winner, jnp.arange(len(winner))]
    drawn = draw(outputs, winner, order)
    share = 1 / (scores.size * devices)  # of one output
    paid = [
        (canonical_loss, canonical, 1 / (len(canonical) * devices)),
        (expert_output_loss, won, share),
        *(
            (expert_output_loss, part.outputs, share * part.stand_for)
            for part in _split(drawn, parts)
        ),
    ]
    gradient, found = jax.tree.map(jnp.zeros_like, params), []
    for loss, images, weight in paid:
        # One waits for the one before, or their activations would be there at once.
        params, images, gradient = jax.lax.optimization_barrier((params, images, gradient))
        more, logits_of_images = jax.grad(_cost, 1, has_aux=True)(
            logits, params, loss, images, weight
        )
        gradient = jax.tree.map(jnp.add, gradient, more)
        found.append(logits_of_images)
    total = canonical_loss(found[0]).mean() + expert_output_loss(scores).mean()
    return total / devices, scores, found[0], gradient


def _score_in_parts(logits: LogitsFn, params: PyTree, outputs: jax.Array, parts: int) -> jax.Array:
    """The scores `[E, B]` of outputs, of a part of the experts after another."""
    scores: list[jax.Array] = []
    for part in jnp.split(outputs, parts):
        part, scores = jax.lax.optimization_barrier((part, scores))
        scores.append(logits(params, part))
    return jnp.concatenate(scores)


def _split(drawn: Drawn, parts: int) -> list[Drawn]:
    return list(map(Drawn, *(jnp.split(array, parts) for array in drawn)))


def _cost(
    logits: LogitsFn, params: PyTree, loss: LossFn, images: jax.Array, weight: jax.Array | float
) -> tuple[jax.Array, jax.Array]:
    """What images cost the discriminator, and their scores."""
    scores = logits(params, images)
    return (weight * loss(scores)).sum(), scores
