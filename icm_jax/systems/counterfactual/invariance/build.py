"""A classifier that should ignore what told the class in training, as a system."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.networks.compute import Compute
from icm_jax.supervised import (
    Learner,
    Supervised,
    apply_in_training,
    init_parameters,
    mean_loss,
    supervised_step,
)
from icm_jax.system import Metrics, Phase, PyTree, System
from icm_jax.systems.counterfactual import biased
from icm_jax.systems.counterfactual.biased import BiasedData
from icm_jax.systems.counterfactual.invariance import evaluation
from icm_jax.systems.counterfactual.invariance.drawing import Drawing, draw
from icm_jax.systems.counterfactual.invariance.supply import Supply
from icm_jax.systems.counterfactual.invariance.supply import load as load_supply
from icm_jax.systems.counterfactual.networks.classifier import PublishedClassifier

_DECAYS = 10  # how often the rate falls


class State(NamedTuple):
    """Everything that a run needs to go on."""

    learner: Learner


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.counterfactual.invariance.config`), one a seed.

    Counterfactuals are generated within the step, and none is kept, or drawn from a file.

    Args:
      config: a validated config.
      splits: of which the data set is made.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the data set cannot be made of these images, or the generator does not suit it.
      FileNotFoundError: textures or the generator are not there.
      WorkdirError, CheckpointError: the generator's run is not finished, or damaged.
    """
    supply = None
    if config.method != "original":
        supply = load_supply(config.generator, "generator")
    made = [biased.make(config.data, splits, seed) for seed in seeds]
    if supply:
        _check_supply(config, supply, made[0])
    compute = Compute(config.precision, config.convolution)
    network, outside = (
        PublishedClassifier(made[0].classes, axis, compute) for axis in (axis_name, None)
    )
    optimizer = _make_optimizer(config)
    drawing = Drawing(*_counts(config), made[0], supply, axis_name)
    how = Supervised(
        draw=functools.partial(draw, drawing),
        forward=functools.partial(apply_in_training, network),
        objective=mean_loss(config.batch_size),
        optimizer=optimizer,
        axis_name=axis_name,
    )
    example = jnp.zeros((1, made[0].size, made[0].size, 3))
    shared = System(
        name=config.system,
        init=functools.partial(_init, outside, optimizer, example),
        phases=(Phase("training", config.steps, _make_step(how)),),
        data={},
        evaluate=functools.partial(evaluation.evaluate, config, jax.jit(outside.apply)),
        figures=evaluation.draw_figures,
        headline=evaluation.headline,
        shared={"shared": made[0].shared, "generator": supply.arrays if supply else {}},
    )
    return tuple(
        shared._replace(
            data={"parts": of.train.parts, "labels": of.train.labels},
            evaluate=functools.partial(shared.evaluate, of),
        )
        for of in made
    )


def _check_supply(config: ConfigDict, supply: Supply, data: BiasedData) -> None:
    """Refuses a generator, or images, of other data."""
    pairs = (supply.classes, data.classes, "classes"), (supply.size, data.size, "pixels a side")
    for theirs, ours, what in pairs:
        if theirs != ours:
            raise ValueError(
                f"generator: {config.generator!r} makes {theirs} {what}, the data have {ours}; "
                "choose one that was trained on them"
            )


def _counts(config: ConfigDict) -> tuple[int, int]:
    """How many originals and how many others make a batch."""
    size = config.batch_size
    return {"original": (size, 0), "counterfactual": (0, size), "both": (size // 2, -(-size // 2))}[
        config.method
    ]


def _make_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """Adadelta whose rate falls after each tenth of the steps, as after each published epoch."""
    rates, epoch = config.optimizer, max(config.steps // _DECAYS, 1)
    schedule = optax.exponential_decay(rates.learning_rate, epoch, rates.factor, staircase=True)
    return optax.adadelta(schedule, rho=0.9, eps=1e-6)


def _init(
    network: PublishedClassifier,
    optimizer: optax.GradientTransformation,
    example: jax.Array,
    key: jax.Array,
) -> State:
    parameters = init_parameters(network, example, key)
    return State(Learner(parameters, optimizer.init(parameters.params)))


def _make_step(how: Supervised) -> Callable[..., tuple[State, Metrics]]:
    def step(state: State, data: PyTree, key: jax.Array) -> tuple[State, Metrics]:
        learner, _, metrics = supervised_step(how, state, data, key)
        return State(learner), metrics

    return step
