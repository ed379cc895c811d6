"""A classifier that should ignore what told the class in training, as a system."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.data import Splits
from icm_jax.networks.compute import Compute
from icm_jax.supervised import (
    Batch,
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
from icm_jax.systems.counterfactual.generate import draw_labels, draw_noise, generate
from icm_jax.systems.counterfactual.generation import use
from icm_jax.systems.counterfactual.generation.use import Generator
from icm_jax.systems.counterfactual.invariance import evaluation
from icm_jax.systems.counterfactual.networks.classifier import PublishedClassifier

_DECAYS = 10  # how often the rate falls
Data = Mapping[str, Any]


class State(NamedTuple):
    """Everything that a run needs to go on."""

    learner: Learner


class Drawing(NamedTuple):
    """Where a batch comes from.

    Attributes:
      originals: how many images of a batch are drawn from the data.
      counterfactuals: how many are generated.
      biased: how originals are rendered.
      generator: of the others; None where there are none.
      axis_name: device axis, or None.
    """

    originals: int
    counterfactuals: int
    biased: BiasedData
    generator: Generator | None
    axis_name: str | None


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.counterfactual.invariance.config`), one a seed.

    Counterfactuals are generated within the step: none is kept.

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
    generator = None
    if config.method != "original":
        generator = use.load(config.generator, "generator")
    made = [biased.make(config.data, splits, seed) for seed in seeds]
    if generator and generator.classes != made[0].classes:
        raise ValueError(
            f"generator: {config.generator!r} makes {generator.classes} classes, the data have "
            f"{made[0].classes}; choose a generator that was trained on them"
        )
    compute = Compute(config.precision, config.convolution)
    network, outside = (
        PublishedClassifier(made[0].classes, axis, compute) for axis in (axis_name, None)
    )
    optimizer = _make_optimizer(config)
    drawing = Drawing(*_counts(config), made[0], generator, axis_name)
    how = Supervised(
        draw=functools.partial(_draw, drawing),
        forward=functools.partial(apply_in_training, network),
        objective=mean_loss(config.batch_size),
        optimizer=optimizer,
        axis_name=axis_name,
    )
    example = jnp.zeros((1, made[0].size, made[0].size, 3))
    shared_data, own_data = biased.given(made)
    shared = System(
        name=config.system,
        init=functools.partial(_init, outside, optimizer, example),
        phases=(Phase("training", config.steps, _make_step(how)),),
        data={},
        evaluate=functools.partial(evaluation.evaluate, config, jax.jit(outside.apply)),
        figures=evaluation.draw_figures,
        headline=evaluation.headline,
        shared={"generator": generator.variables if generator else {}, **shared_data},
    )
    return tuple(
        shared._replace(data=own, evaluate=functools.partial(shared.evaluate, of))
        for own, of in zip(own_data, made, strict=True)
    )


def _counts(config: ConfigDict) -> tuple[int, int]:
    """How many originals and counterfactuals make a batch."""
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


def _draw(drawing: Drawing, state: State, data: Data, key: jax.Array) -> tuple[Batch, Metrics]:
    """This device's share of originals and of counterfactuals."""
    del state
    parts = []
    original_key, made_key = jax.random.split(key)
    if drawing.originals:
        parts.append(_draw_originals(drawing, data, original_key))
    if drawing.counterfactuals:
        parts.append(_make_counterfactuals(drawing, data, made_key))
    images, labels = (jnp.concatenate(each) for each in zip(*parts, strict=True))
    return Batch(images, labels, jnp.zeros_like(labels)), {}


def _draw_originals(drawing: Drawing, data: Data, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    index_key, render_key = jax.random.split(key)
    index = jax.random.randint(index_key, (drawing.originals,), 0, len(data["labels"]))
    parts = jax.tree.map(lambda part: part[index], data["parts"])
    images = drawing.biased.render(parts, data["shared"], render_key)
    return collectives.share((images, data["labels"][index]), drawing.axis_name)


def _make_counterfactuals(
    drawing: Drawing, data: Data, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Images whose label is that of their shape; textures are of other labels, drawn apart."""
    generator, count = drawing.generator, drawing.counterfactuals
    noise_key, label_key, shift_key = jax.random.split(key, 3)
    noise = draw_noise(noise_key, count, generator.latent)
    labels = draw_labels(label_key, count, generator.classes)
    noise, labels = collectives.share((noise, labels), drawing.axis_name)
    if drawing.axis_name is not None:
        shift_key = jax.random.fold_in(shift_key, jax.lax.axis_index(drawing.axis_name))
    made = generate(generator.mechanisms, data["generator"], noise, labels, shift_key)
    return made.images, labels.shape
