"""The steps of stable features: which batch is drawn, and what is minimised on it."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from icm_jax import collectives
from icm_jax.data import Groups, draw_balanced, draw_each
from icm_jax.supervised import Batch, Objective, Parameters, Supervised, supervised_step
from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.systems.stable_features.model import Model
from icm_jax.systems.stable_features.state import Data, State


class Drawn(NamedTuple):
    """Images of the training data: `index` int32 `[B]`, and the `group` of each, int32 `[B]`."""

    index: jax.Array
    group: jax.Array


# (state, data, key) -> batch of all devices, metrics
Draw = Callable[[State, Data, jax.Array], tuple[Drawn, dict[str, Mean]]]


def make_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    draw: Draw,
    objective: Objective,
    axis_name: str | None,
) -> Callable[[State, Data, jax.Array], tuple[State, Metrics]]:
    """The step of a classifier: draws, and learns the given labels by an objective.

    Args:
      model: the network.
      optimizer: of the phase.
      draw: of a batch.
      objective: see `icm_jax.supervised.Loss`; a state's weights stay where it has none.
      axis_name: device axis, or None.
    """

    def draw_share(state: State, data: Data, key: jax.Array) -> tuple[Batch, Metrics]:
        chex.assert_equal_shape([data["given"], data["channel"]])
        drawn, metrics = draw(state, data, key)
        index, group = collectives.share(drawn, axis_name)
        inputs = data["images"][index], data["channel"][index]
        return Batch(inputs, data["given"][index], group), metrics

    def forward(parameters: Parameters, inputs: PyTree, key: jax.Array) -> tuple[jax.Array, PyTree]:
        outputs, batch_stats = model.learn(parameters, *inputs, key)
        return outputs.logits, batch_stats

    how = Supervised(draw_share, forward, objective, optimizer, axis_name)

    def step(state: State, data: Data, key: jax.Array) -> tuple[State, Metrics]:
        learner, weights, metrics = supervised_step(how, state, data, key)
        weights = state.weights if weights is None else weights
        return state._replace(learner=learner, weights=weights, steps=state.steps + 1), metrics

    return step


def draw_from_all(groups: Callable[[State, Data], Groups], batch_size: int) -> Draw:
    """Every group gives as many images to a batch; one group alone, all images the same chance."""

    def draw(state, data, key):
        return Drawn(*draw_balanced(key, groups(state, data), batch_size)), {}

    return draw


def draw_from_worst(
    model: Model, groups: Callable[[State, Data], Groups], size: int, axis_name: str | None
) -> Draw:
    """`size` images of the group whose mean loss is the largest at the moment (Bao et al. 2022).

    All groups are scored without gradient and dropout; the worst alone is learned from. Unlike
    weights that follow the losses, this needs no step size.
    """

    def draw(state, data, key):
        among = groups(state, data)
        index = draw_each(key, among, size)  # [G, n]
        mine = collectives.share(index.T, axis_name, "tofu.batch_size")  # [n / devices, G]
        flat = mine.reshape(-1)
        outputs = model.use(state.learner.parameters, data["images"][flat], data["channel"][flat])
        logits = outputs.logits.astype(jnp.float32)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, data["given"][flat])
        means = collectives.psum(losses.reshape(mine.shape).sum(axis=0), axis_name) / size
        number = jnp.where(among.count > 0, means, -jnp.inf).argmax()
        drawn = Drawn(index[number], jnp.full(size, number, jnp.int32))
        return drawn, {"worst_group_loss": Mean(means[number], jnp.float32(1))}

    return draw
