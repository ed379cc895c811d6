"""Learning the labels of whatever is drawn by an objective, with the published optimizer."""

import functools

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax.supervised import (
    Learner,
    Supervised,
    apply_in_training,
    init_parameters,
    supervised_step,
)
from icm_jax.system import Metrics, PyTree
from icm_jax.systems.counterfactual.invariance.methods import told
from icm_jax.systems.counterfactual.invariance.state import Parts, State, Step

_DECAYS = 10  # how often the rate falls


def init(parts: Parts, key: jax.Array) -> State:
    """A classifier that has learned nothing."""
    parameters = init_parameters(parts.outside, parts.example, key)
    learner = Learner(parameters, make_optimizer(parts.config).init(parameters.params))
    weights = jnp.full(parts.groups, 1 / parts.groups, jnp.float32)
    return State(learner, jnp.int32(0), weights)


def make_step(parts: Parts) -> Step:
    """The step that lowers the mean cross-entropy of a batch, or what a told method has for it."""
    how = Supervised(
        draw=parts.draw,
        forward=functools.partial(apply_in_training, parts.network),
        objective=told.make_objective(parts.config, parts.groups, parts.axis_name),
        optimizer=make_optimizer(parts.config),
        axis_name=parts.axis_name,
    )

    def step(state: State, data: PyTree, key: jax.Array) -> tuple[State, Metrics]:
        learner, weights, metrics = supervised_step(how, state, data, key)
        weights = state.weights if weights is None else weights
        return state._replace(learner=learner, steps=state.steps + 1, weights=weights), metrics

    return step


def make_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """Adadelta whose rate falls after each tenth of the steps, as after each published epoch."""
    rates, epoch = config.optimizer, max(config.steps // _DECAYS, 1)
    schedule = optax.exponential_decay(rates.learning_rate, epoch, rates.factor, staircase=True)
    return optax.adadelta(schedule, rho=0.9, eps=1e-6)
