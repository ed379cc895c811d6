"""The step that trains TOFU's embedding of unstable features."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from icm_jax import collectives
from icm_jax.data import draw_each
from icm_jax.objectives import triplet_losses
from icm_jax.supervised import Parameters, descend
from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.systems.stable_features.model import Model
from icm_jax.systems.stable_features.state import Data, State


class Embedding(NamedTuple):
    """How the embedding is learned.

    Attributes:
      model: whose features are the embedding.
      optimizer: of the phase.
      size: n, images of each group in a batch.
      margin: see `icm_jax.objectives.triplet_losses`.
      axis_name: device axis, or None.
    """

    model: Model
    optimizer: optax.GradientTransformation
    size: int
    margin: float
    axis_name: str | None


def make_embedding_step(
    how: Embedding,
) -> Callable[[State, Data, jax.Array], tuple[State, Metrics]]:
    """Draws `size` right and `size` mistaken images of every pair of groups, and learns from all.

    The loss is the mean over the pairs that have both. Triples go across a batch, so every device
    does the whole of it.
    """

    def step(state: State, data: Data, key: jax.Array) -> tuple[State, Metrics]:
        groups = state.found.pairs
        chex.assert_rank(groups.count, 1)
        chex.assert_is_divisible(len(groups.count), 2)
        draw_key, dropout_key = jax.random.split(key)
        index = draw_each(draw_key, groups, how.size).reshape(-1)
        # Right and mistaken are neighbours: [Q, 2].
        usable = (groups.count.reshape(-1, 2) > 0).all(axis=1).astype(jnp.float32)
        images = data["images"][index], data["channel"][index]

        gradient, (value, batch_stats) = jax.grad(_value, has_aux=True)(
            state.learner.parameters.params,
            how,
            state.learner.parameters,
            images,
            usable,
            dropout_key,
        )
        learner = descend(how.optimizer, state.learner, gradient, batch_stats, how.axis_name)
        metrics = {"triplet_loss": Mean(value, jnp.float32(1))}
        return state._replace(learner=learner, steps=state.steps + 1), metrics

    return step


def _value(
    params: PyTree,
    how: Embedding,
    parameters: Parameters,
    images: tuple[jax.Array, jax.Array],
    usable: jax.Array,
    key: jax.Array,
) -> tuple[jax.Array, tuple[jax.Array, PyTree]]:
    """This device's share of the loss of images `[2 Q n]`, the loss, and batch statistics."""
    outputs, batch_stats = how.model.learn(parameters._replace(params=params), *images, key)
    features = outputs.features.reshape(-1, 2, how.size, outputs.features.shape[-1])
    losses = jax.vmap(triplet_losses, (0, 0, None))(
        features[:, 0], features[:, 1], how.margin
    ).mean(axis=(1, 2))  # [Q]
    value = (usable * losses).sum() / jnp.maximum(usable.sum(), 1.0)
    return value / collectives.size(how.axis_name), (value, batch_stats)
