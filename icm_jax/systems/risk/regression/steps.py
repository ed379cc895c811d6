"""The state of regression and its step: all wrappers, splits and members learn at once."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax import collectives, schedules
from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.systems.risk.regression import registry
from icm_jax.systems.risk.regression.data import Rows
from icm_jax.systems.risk.wrappers.controller import Controller
from icm_jax.systems.risk.wrappers.network import Variables
from icm_jax.systems.risk.wrappers.wrap import AnyModel

Models = Mapping[str, AnyModel | Controller]


class Learner(NamedTuple):
    """A model in training, of every split: leaves have the axis S in front.

    Attributes:
      variables: of the model.
      opt_state: of its parameters.
    """

    variables: Variables
    opt_state: PyTree


class Best(NamedTuple):
    """The least that test rows showed along training: what published scripts report as result.

    Attributes:
      rmse: of each split, in the target's unit, float32 `[S]`; infinite before the first look.
      nll: likewise, in nats.
    """

    rmse: jax.Array
    nll: jax.Array


class State(NamedTuple):
    """Everything that a run needs to go on.

    Attributes:
      learners: by the wrapper's name.
      steps: that are done, int32 `[]`.
      best: by the name of a row of the results; {} of the cubic.
    """

    learners: Mapping[str, Learner]
    steps: jax.Array
    best: Mapping[str, Best]


def make_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """AdamW of rate 1; the step scales what it says. Biases do not decay."""

    def kernels(params: PyTree) -> PyTree:
        return jax.tree.map_with_path(lambda path, _: path[-1].key == "kernel", params)

    decay = optax.add_decayed_weights(config.optimizer.weight_decay, kernels)
    return optax.chain(optax.scale_by_adam(), decay)


def init_state(
    models: Models,
    config: ConfigDict,
    train: tuple[int, int],
    tested: tuple[str, ...],
    key: jax.Array,
) -> State:
    """The state before the first step.

    Args:
      models: by name.
      config: of the system.
      train: S and D.
      tested: rows of the results whose best is remembered.
      key: typed key `[]`; a wrapper's beginning does not depend on which others there are.
    """
    splits, features = train
    optimizer = make_optimizer(config)
    example = jnp.zeros((1, features))
    learners = {}
    for name, model in models.items():
        keys = jax.random.split(jax.random.fold_in(key, registry.place(name)), splits)
        variables = jax.vmap(lambda key, model=model: model.init(key, example))(keys)
        learners[name] = Learner(variables, optimizer.init(variables["params"]))
    never = jnp.full(splits, jnp.inf, jnp.float32)
    return State(learners, jnp.int32(0), {row: Best(never, never) for row in tested})


def draw(rows: Rows, key: jax.Array, size: int) -> jax.Array:
    """Rows of each split, with replacement: int32 `[S, size]`, never of the filling."""
    keys = jax.random.split(key, len(rows.count))
    return jax.vmap(lambda key, count: jax.random.randint(key, (size,), 0, count))(keys, rows.count)


def make_step(
    models: Models, config: ConfigDict, axis_name: str | None
) -> Callable[[State, Mapping[str, Any], jax.Array], tuple[State, Metrics]]:
    """The step `(state, data, key) -> (state, metrics)`; `data["train"]` are `Rows`.

    All wrappers are given the same rows. Metrics are losses, `<wrapper>_loss`: means over rows
    and splits, sums over members.
    """
    optimizer = make_optimizer(config)

    def step(state: State, data: Mapping[str, Any], key: jax.Array) -> tuple[State, Metrics]:
        rows: Rows = data["train"]
        chex.assert_equal_shape_prefix([rows.features, rows.targets], 2)
        draw_key, loss_key = jax.random.split(key)
        loss_key = collectives.own_key(loss_key, axis_name)
        index = draw(rows, draw_key, config.batch_size)
        index = collectives.share(index.T, axis_name).T
        batch = jax.vmap(lambda table, index: table[index])
        x, targets = batch(rows.features, index), batch(rows.targets, index)
        rate = schedules.decaying(config.optimizer, config.steps)(state.steps)
        learners, metrics = {}, {}
        for name, model in models.items():
            keys = jax.random.split(jax.random.fold_in(loss_key, registry.place(name)), len(index))
            learners[name], total = _learn(
                model, optimizer, state.learners[name], x, targets, keys, rate, axis_name
            )
            metrics[f"{name}_loss"] = Mean(total, jnp.float32(len(index)))
        return state._replace(learners=learners, steps=state.steps + 1), metrics

    return step


def _learn(
    model: AnyModel | Controller,
    optimizer: optax.GradientTransformation,
    learner: Learner,
    x: jax.Array,
    targets: jax.Array,
    keys: jax.Array,
    rate: jax.Array,
    axis_name: str | None,
) -> tuple[Learner, jax.Array]:
    """The learner after a step on this device's `x` `[S, b, D]`, and the sum of the S losses."""
    params = learner.variables["params"]
    size = x.shape[1] * collectives.size(axis_name)

    def cost(params: PyTree) -> tuple[jax.Array, Variables]:
        losses, variables = jax.vmap(model.loss)(
            {**learner.variables, "params": params}, x, targets, keys
        )
        # Every split has parameters of its own: a sum over splits is the gradient of each.
        return losses.sum() / size, variables

    (total, variables), gradient = jax.value_and_grad(cost, has_aux=True)(params)
    gradient, total = collectives.psum((gradient, total), axis_name)
    updates, opt_state = optimizer.update(gradient, learner.opt_state, params)
    params = jax.tree.map(lambda p, u: p - rate * u, params, updates)
    return Learner({**variables, "params": params}, opt_state), total
