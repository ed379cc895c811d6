"""Classification: one classifier trained on labelled images. ICM's judge of restored digits."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.chunks import in_chunks
from icm_jax.data import Dataset, Pool, draw_indices, pad, to_float
from icm_jax.networks.compute import Compute
from icm_jax.networks.registry import CLASSIFIERS
from icm_jax.report import lines
from icm_jax.supervised import (
    Batch,
    Learner,
    Parameters,
    Supervised,
    apply_in_training,
    init_parameters,
    mean_loss,
    supervised_step,
)
from icm_jax.system import Evaluation, Metrics, Phase, System

PyTree = Any
_QUICK = 1000  # test images in the evaluations during training
_CHUNK = 500  # images a call


class State(NamedTuple):
    """Parameters, running batch statistics and optimizer state of one classifier."""

    params: PyTree
    batch_stats: PyTree
    opt_state: PyTree

    @property
    def learner(self) -> Learner:
        """The same as `supervised_step` takes it."""
        return Learner(Parameters(self.params, self.batch_stats), self.opt_state)


class Task(NamedTuple):
    """What there is to tell apart.

    Attributes:
      classes: how many there are.
      data: host arrays by name, see `System.shared`.
      draw: `(data, key) -> (images, labels)`, float32 `[b, H, W, C]` in [0, 1] and int32 `[b]`:
        this device's share of a batch.
      images: to test on, `[N, H, W, C]`: uint8, or float32 in [0, 1] as they are to be seen.
      labels: int32 `[N]` of those.
    """

    classes: int
    data: PyTree
    draw: Callable[[Mapping[str, jax.Array], jax.Array], tuple[jax.Array, jax.Array]]
    images: np.ndarray
    labels: np.ndarray


class Classifier(NamedTuple):
    """A network and how images are made for it.

    Attributes:
      network: maps images `[B, H, W, C]` to logits `[B, L]`; reduces batch statistics over the
        devices.
      outside: the same network where there are no devices to reduce over.
      size: side that images of uint8 are padded to with zeros; 0 leaves them.
    """

    network: nn.Module
    outside: nn.Module
    size: int = 0

    def init(self, example: jax.Array, key: jax.Array) -> State:
        """A fresh classifier of images like `example` `[1, H, W, C]`, without optimizer state."""
        return State(*init_parameters(self.outside, prepare(example, self.size), key), ())

    def learn(
        self, parameters: Parameters, images: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, PyTree]:
        """Logits `[b, L]` of images float32 `[b, H, W, C]`, with dropout, and batch statistics."""
        return apply_in_training(self.network, parameters, images, key)

    def predict(self, state: State, images: jax.Array) -> jax.Array:
        """Classes, int32 `[B]`, of images `[B, H, W, C]`.

        Images are uint8, which are scaled and padded, or float32 in [0, 1], taken as they are.
        """
        variables = state.learner.parameters._asdict()
        logits = self.outside.apply(variables, prepare(images, self.size))
        return logits.argmax(axis=1).astype(jnp.int32)


def make_classifier(
    config: ConfigDict,
    classes: int,
    compute: Compute = Compute(),  # noqa: B008 - immutable
    size: int = 0,
    axis_name: str | None = None,
) -> Classifier:
    """The classifier of a config.

    Args:
      config: `config.classifier`: kind, stages, hidden, dropout.
      classes: L.
      compute: number formats and convolutions.
      size: see `Classifier`.
      axis_name: device axis, or None.

    Raises:
      ValueError: if the classifier is one of faces and there are not two classes.
    """
    make = functools.partial(CLASSIFIERS[config.kind], config, classes, compute=compute)
    return Classifier(make(axis_name), make(None), size)


def prepare(images: jax.Array, size: int) -> jax.Array:
    """Images as a classifier sees them: float32 `[B, H, W, C]` in [0, 1].

    Args:
      images: `[B, H, W, C]`, uint8, which are scaled and padded, or float32, taken as they are.
      size: see `Classifier`.
    """
    if images.dtype != jnp.uint8:
        return images
    return to_float(pad(images, size))


def labelled(
    config: ConfigDict, train: Dataset, test: Dataset, size: int = 0, axis_name: str | None = None
) -> Task:
    """The labels of `train`, tested on `test`.

    `data["pool"]` says which images of `train` are drawn: all of them.

    Args:
      config: `config.classifier`: batch_size.
      train: images uint8 `[N, H, W, C]` and their labels.
      test: likewise.
      size: see `Classifier`.
      axis_name: device axis, or None.
    """

    def draw(data, key):
        index = draw_indices(key, data["pool"], config.batch_size)
        index = collectives.share(index, axis_name, "classifier.batch_size")
        return prepare(data["images"][index], size), data["labels"][index]

    count = len(train.labels)
    everything = Pool(np.arange(count, dtype=np.int32), np.int32(count))
    data = {"images": train.images, "labels": train.labels, "pool": everything}
    return Task(class_count(train), data, draw, test.images, test.labels)


def class_count(dataset: Dataset) -> int:
    """Labels are 0 .. classes - 1; classes that no image has in between count too."""
    return int(dataset.labels.max()) + 1


def build(
    config: ConfigDict, task: Task, classifier: Classifier, axis_name: str | None = None
) -> System:
    """A system of one classifier that learns a task.

    Args:
      config: `config.classifier`: batch_size, steps, learning_rate.
      task: what it learns and is tested on.
      classifier: of `task.classes` classes, made for the same `axis_name`.
      axis_name: device axis, or None.
    """
    schedule = optax.cosine_decay_schedule(config.learning_rate, max(config.steps, 1))
    how = Supervised(
        draw=functools.partial(_draw, task),
        forward=classifier.learn,
        objective=mean_loss(config.batch_size),
        optimizer=optax.adam(schedule),
        axis_name=axis_name,
    )
    return System(
        name="classification",
        init=functools.partial(_init, classifier, how.optimizer, task.images[:1]),
        phases=(Phase("classification", config.steps, _make_step(how)),),
        data={},
        shared=task.data,
        evaluate=functools.partial(_evaluate, task, jax.jit(classifier.predict)),
        figures=_draw_figures,
        headline=lambda summary: {"accuracy": summary["accuracy"]["test"]},
    )


def _draw(
    task: Task, state: State, data: Mapping[str, jax.Array], key: jax.Array
) -> tuple[Batch, Metrics]:
    """A batch of a task, all of it one group."""
    del state
    images, labels = task.draw(data, key)
    return Batch(images, labels, jnp.zeros_like(labels)), {}


def _init(
    classifier: Classifier,
    optimizer: optax.GradientTransformation,
    example: np.ndarray,
    key: jax.Array,
) -> State:
    state = classifier.init(jnp.asarray(example), key)
    return state._replace(opt_state=optimizer.init(state.params))


def _make_step(how: Supervised) -> Callable[..., tuple[State, Metrics]]:
    def step(state: State, data: Mapping[str, jax.Array], key: jax.Array) -> tuple[State, Metrics]:
        learner, _, metrics = supervised_step(how, state, data, key)
        return State(*learner.parameters, learner.opt_state), metrics

    return step


def _evaluate(
    task: Task,
    predict: Callable[[State, jax.Array], jax.Array],
    state: State,
    auxiliary: Mapping[str, PyTree],
    complete: bool,
) -> Evaluation:
    """Accuracy on the test images, the first of them alone where it is not complete."""
    del auxiliary
    images = task.images if complete else task.images[:_QUICK]
    labels = task.labels[: len(images)]
    predicted = in_chunks(lambda index: predict(state, images[index]), len(images), _CHUNK)
    accuracy = float((predicted == labels).mean())
    return Evaluation({"accuracy": accuracy}, {"accuracy": {"test": accuracy}}, {})


def _draw_figures(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    del evaluation
    training = [r for r in records if "loss" in r]
    steps = [r["step"] for r in training]
    return {"loss": lines.curves({"loss": (steps, [r["loss"] for r in training])}, "Loss")}
