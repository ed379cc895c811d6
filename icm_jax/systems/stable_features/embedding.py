"""The step that trains TOFU's embedding of unstable features."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from icm_jax import collectives, objectives
from icm_jax.data import draw_each
from icm_jax.system import Mean, Metrics
from icm_jax.systems.stable_features.model import Model, descend
from icm_jax.systems.stable_features.state import Data, State


def make_embedding_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    size: int,
    margin: float,
    axis_name: str | None,
) -> Callable[[State, Data, jax.Array], tuple[State, Metrics]]:
    """Draws `size` right and `size` mistaken images of every pair of groups, and learns from all.

    The loss is the mean over the pairs that have both. Triples go across a batch, so every device
    does the whole of it.

    Args:
      model: whose features are the embedding.
      optimizer: of the phase.
      size: n.
      margin: see `icm_jax.objectives.triplet_losses`.
      axis_name: device axis, or None.
    """

    def step(state: State, data: Data, key: jax.Array) -> tuple[State, Metrics]:
        draw_key, dropout_key = jax.random.split(key)
        groups = state.found.pairs
        index = draw_each(draw_key, groups, size).reshape(-1)
        # Right and mistaken are neighbours: [Q, 2].
        usable = (groups.count.reshape(-1, 2) > 0).all(axis=1).astype(jnp.float32)

        def loss(params):
            parameters = state.learner.parameters._replace(params=params)
            outputs, batch_stats = model.learn(
                parameters, data["images"][index], data["channel"][index], dropout_key
            )
            features = outputs.features.reshape(-1, 2, size, outputs.features.shape[-1])
            losses = jax.vmap(objectives.triplet_losses, (0, 0, None))(
                features[:, 0], features[:, 1], margin
            ).mean(axis=(1, 2))  # [Q]
            value = (usable * losses).sum() / jnp.maximum(usable.sum(), 1.0)
            return value / collectives.size(axis_name), (value, batch_stats)

        gradient, (value, batch_stats) = jax.grad(loss, has_aux=True)(
            state.learner.parameters.params
        )
        learner = descend(optimizer, state.learner, gradient, batch_stats, axis_name)
        metrics = {"triplet_loss": Mean(value, jnp.float32(1))}
        return state._replace(learner=learner, steps=state.steps + 1), metrics

    return step
