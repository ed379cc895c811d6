"""The supervised step that systems share: a network learns the labels of a batch.

Draw, network and objective are handed in.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from icm_jax import collectives
from icm_jax.system import Mean, Metrics

PyTree = Any


class Parameters(NamedTuple):
    """What a network is applied with; `batch_stats` are running averages, {} where it has none."""

    params: PyTree
    batch_stats: PyTree


class Learner(NamedTuple):
    """A network in training: its parameters and the optimizer's state."""

    parameters: Parameters
    opt_state: PyTree


class Batch(NamedTuple):
    """A device's share of a batch.

    Attributes:
      inputs: arrays `[b, ...]`, whatever `Supervised.forward` takes.
      labels: int32 `[b]`.
      group: int32 `[b]`, for objectives that look at it.
    """

    inputs: PyTree
    labels: jax.Array
    group: jax.Array


class Scores(NamedTuple):
    """What a network says of a device's share of a batch.

    Attributes:
      losses: cross-entropies, float32 `[b]`.
      logits: float32 `[b, L]`.
      labels: int32 `[b]`.
      group: int32 `[b]`.
    """

    losses: jax.Array
    logits: jax.Array
    labels: jax.Array
    group: jax.Array


class Loss(NamedTuple):
    """What an objective makes of a batch.

    Attributes:
      value: to differentiate, this device's share, float32 `[]`.
      weights: of the groups after the step, `[G]`; None where the objective has none.
      metrics: of the objective alone.
    """

    value: jax.Array
    weights: jax.Array | None
    metrics: Metrics


# (state, scores) -> loss
Objective = Callable[[Any, Scores], Loss]


class Supervised(NamedTuple):
    """How a classifier learns.

    Attributes:
      draw: `(state, data, key) -> (Batch, metrics)`.
      forward: `(parameters, inputs, key) -> (logits [b, L], running batch statistics)`, with
        dropout.
      objective: `(state, scores) -> loss`.
      optimizer: of the parameters.
      axis_name: device axis, or None.
    """

    draw: Callable[[Any, PyTree, jax.Array], tuple[Batch, Metrics]]
    forward: Callable[[Parameters, PyTree, jax.Array], tuple[jax.Array, PyTree]]
    objective: Objective
    optimizer: optax.GradientTransformation
    axis_name: str | None


def supervised_step(
    how: Supervised, state: Any, data: PyTree, key: jax.Array
) -> tuple[Learner, jax.Array | None, Metrics]:
    """Draws a batch and learns its labels.

    Args:
      how: draw, network, objective and optimizer.
      state: of the system; `state.learner` learns, draw and objective may look at the rest.
      data: that are drawn from.
      key: typed key `[]` of this step.

    Returns:
      The learner after the step, the objective's weights `[G]` or None, and the metrics: `loss` and
      `accuracy` over the batch of all devices, those of the draw and of the objective.

    Raises:
      AssertionError: labels, groups, inputs or logits are not one for each image of the batch.
    """
    chex.assert_rank(key, 0)
    draw_key, dropout_key = jax.random.split(key)
    dropout_key = collectives.own_key(dropout_key, how.axis_name)
    batch, metrics = how.draw(state, data, draw_key)
    chex.assert_rank([batch.labels, batch.group], 1)
    chex.assert_tree_shape_prefix(batch, batch.labels.shape)
    learner = state.learner

    gradient, (loss, scores, batch_stats) = jax.grad(_value, has_aux=True)(
        learner.parameters.params, how, state, batch, dropout_key
    )
    learner = descend(how.optimizer, learner, gradient, batch_stats, how.axis_name)
    correct = (scores.logits.argmax(axis=1) == scores.labels).astype(jnp.float32)
    totals = collectives.psum((scores.losses.sum(), correct.sum()), how.axis_name)
    count = jnp.float32(len(batch.labels) * collectives.size(how.axis_name))
    metrics = {**metrics, "loss": Mean(totals[0], count), "accuracy": Mean(totals[1], count)}
    return learner, loss.weights, metrics | loss.metrics


def descend(
    optimizer: optax.GradientTransformation,
    learner: Learner,
    gradient: PyTree,
    batch_stats: PyTree,
    axis_name: str | None,
) -> Learner:
    """The learner after a step along a gradient of which every device has its share.

    Args:
      optimizer: of the parameters.
      learner: before the step.
      gradient: this device's share, of the shapes of `learner.parameters.params`.
      batch_stats: running averages after the step, the same on every device.
      axis_name: device axis, or None.
    """
    params = learner.parameters.params
    chex.assert_trees_all_equal_shapes(gradient, params)
    gradient = collectives.psum(gradient, axis_name)
    updates, opt_state = optimizer.update(gradient, learner.opt_state, params)
    return Learner(Parameters(optax.apply_updates(params, updates), batch_stats), opt_state)


def make_learner(variables: PyTree, optimizer: optax.GradientTransformation) -> Learner:
    """A network that begins to learn, of fresh `params` and `batch_stats`, which may be missing."""
    parameters = Parameters(variables["params"], variables.get("batch_stats", {}))
    return Learner(parameters, optimizer.init(parameters.params))


def init_parameters(network: nn.Module, example: jax.Array, key: jax.Array) -> Parameters:
    """Fresh parameters of a network of images like `example` `[1, H, W, C]`."""
    variables = network.init(key, example)
    return Parameters(variables["params"], variables.get("batch_stats", {}))


def apply_in_training(
    network: nn.Module, parameters: Parameters, images: jax.Array, key: jax.Array
) -> tuple[PyTree, PyTree]:
    """Applies a network to images `[B, H, W, C]` with dropout and the batch's own statistics.

    Returns:
      Its outputs `[B, ...]` and the running batch statistics after them.
    """
    outputs, updates = network.apply(
        parameters._asdict(), images, train=True, mutable=["batch_stats"], rngs={"dropout": key}
    )
    return outputs, updates.get("batch_stats", {})


def mean_loss(size: int) -> Objective:
    """The mean loss over a batch of `size` images on all devices."""

    def objective(state, scores):
        del state
        chex.assert_rank(scores.losses, 1)
        return Loss(scores.losses.sum() / size, None, {})

    return objective


def _value(
    params: PyTree, how: Supervised, state: Any, batch: Batch, key: jax.Array
) -> tuple[jax.Array, tuple[Loss, Scores, PyTree]]:
    """The value to differentiate with respect to `params`, and what came with it."""
    parameters = state.learner.parameters._replace(params=params)
    logits, batch_stats = how.forward(parameters, batch.inputs, key)
    chex.assert_shape(logits, (len(batch.labels), None))
    logits = logits.astype(jnp.float32)  # a network may compute in less
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
    scores = Scores(losses, logits, batch.labels, batch.group)
    loss = how.objective(state, scores)
    return loss.value, (loss, scores, batch_stats)
