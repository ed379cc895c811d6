"""The steps of stable features: which batch is drawn, and what is minimised on it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax import collectives, objectives
from icm_jax.data import Groups, draw_balanced, draw_each
from icm_jax.system import Mean, Metrics
from icm_jax.systems.stable_features.model import Model, descend
from icm_jax.systems.stable_features.state import Data, State

PyTree = Any


class Batch(NamedTuple):
    """Images of the training data: `index` int32 `[B]`, and the `group` of each, int32 `[B]`."""

    index: jax.Array
    group: jax.Array


# (state, data, key) -> batch of all devices, metrics
Draw = Callable[[State, Data, jax.Array], tuple[Batch, dict[str, Mean]]]


class Found(NamedTuple):
    """What an objective makes of a batch.

    Attributes:
      value: to differentiate, this device's share, float32 `[]`.
      weights: of the groups after the step, `[G]`.
      metrics: of the objective alone.
    """

    value: jax.Array
    weights: jax.Array
    metrics: dict[str, Mean]


# (state, losses [b], logits [b, L], labels [b], group [b]) -> Found
Objective = Callable[[State, jax.Array, jax.Array, jax.Array, jax.Array], Found]


def make_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    draw: Draw,
    objective: Objective,
    axis_name: str | None,
) -> Callable[[State, Data, jax.Array], tuple[State, Metrics]]:
    """The step of a classifier: draws, and learns the given labels by an objective."""

    def step(state: State, data: Data, key: jax.Array) -> tuple[State, Metrics]:
        draw_key, dropout_key = jax.random.split(key)
        batch, metrics = draw(state, data, draw_key)
        count = jnp.float32(len(batch.index))
        index, group = collectives.share(batch, axis_name)
        labels = data["given"][index]

        def loss(params):
            parameters = state.learner.parameters._replace(params=params)
            outputs, batch_stats = model.learn(
                parameters, data["images"][index], data["channel"][index], dropout_key
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(outputs.logits, labels)
            found = objective(state, losses, outputs.logits, labels, group)
            return found.value, (found, losses, outputs.logits, batch_stats)

        gradient, (found, losses, logits, batch_stats) = jax.grad(loss, has_aux=True)(
            state.learner.parameters.params
        )
        learner = descend(optimizer, state.learner, gradient, batch_stats, axis_name)
        correct = (logits.argmax(axis=1) == labels).astype(jnp.float32)
        totals = collectives.psum((losses.sum(), correct.sum()), axis_name)
        metrics |= {"loss": Mean(totals[0], count), "accuracy": Mean(totals[1], count)}
        state = state._replace(learner=learner, weights=found.weights, steps=state.steps + 1)
        return state, metrics | found.metrics

    return step


def balanced(groups: Callable[[State, Data], Groups], batch_size: int) -> Draw:
    """Every group gives as many images to a batch; one group alone, all images the same chance."""

    def draw(state, data, key):
        return Batch(*draw_balanced(key, groups(state, data), batch_size)), {}

    return draw


def worst(
    model: Model, groups: Callable[[State, Data], Groups], size: int, axis_name: str | None
) -> Draw:
    """`size` images of the group whose mean loss is the largest at the moment (Bao et al. 2022).

    All groups are scored without gradient and dropout; the worst alone is learned from. Unlike
    weights that follow the losses, this needs no step size.
    """

    def draw(state, data, key):
        among = groups(state, data)
        index = draw_each(key, among, size)  # [G, n]
        mine = collectives.share(index.T, axis_name)  # [n / devices, G]
        flat = mine.reshape(-1)
        outputs = model.use(state.learner.parameters, data["images"][flat], data["channel"][flat])
        losses = optax.softmax_cross_entropy_with_integer_labels(
            outputs.logits, data["given"][flat]
        )
        means = collectives.psum(losses.reshape(mine.shape).sum(axis=0), axis_name) / size
        number = jnp.where(among.count > 0, means, -jnp.inf).argmax()
        batch = Batch(index[number], jnp.full(size, number, jnp.int32))
        return batch, {"worst_group_loss": Mean(means[number], jnp.float32(1))}

    return draw


def mean(batch_size: int) -> Objective:
    """The mean loss: empirical risk minimisation on whatever is drawn."""

    def objective(state, losses, logits, labels, group):
        return Found(losses.sum() / batch_size, state.weights, {})

    return objective


def group_dro(config: ConfigDict, groups: int, axis_name: str | None) -> Objective:
    """The groups' mean losses by weights that follow them (Sagawa et al. 2020)."""

    def objective(state, losses, logits, labels, group):
        means, counts = objectives.group_means(
            jax.lax.stop_gradient(losses), group, groups, axis_name
        )
        weights = objectives.group_dro_weights(state.weights, means, counts, config.rate)
        value = objectives.weighted_groups(losses, group, weights, counts)
        largest = jnp.where(counts > 0, means, -jnp.inf).max()
        metrics = {
            "worst_group_loss": Mean(largest, jnp.float32(1)),
            "largest_weight": Mean(weights.max(), jnp.float32(1)),
        }
        return Found(value, weights, metrics)

    return objective


def irm(config: ConfigDict, batch_size: int, groups: int, axis_name: str | None) -> Objective:
    """The mean loss and the penalty of invariant risk minimisation (Arjovsky et al. 2019).

    The penalty counts 1 for the first `config.after` steps and `config.penalty` from then on; a
    factor above 1 divides the whole, so that the gradient keeps its size.
    """

    def objective(state, losses, logits, labels, group):
        surrogate, penalty = objectives.irm_penalty(logits, labels, group, groups, axis_name)
        factor = jnp.where(state.steps < config.after, 1.0, config.penalty)
        value = (losses.sum() / batch_size + factor * surrogate) / jnp.maximum(factor, 1.0)
        return Found(value, state.weights, {"penalty": Mean(penalty, jnp.float32(1))})

    return objective
