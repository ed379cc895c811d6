"""Classification: one classifier trained on labelled images. ICM's judge of restored digits."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.chunks import in_chunks
from icm_jax.data import Dataset, Pool, draw_indices, pad, to_float
from icm_jax.networks.registry import CLASSIFIERS
from icm_jax.report import lines
from icm_jax.system import Evaluation, Mean, Metrics, Phase, System

PyTree = Any


class State(NamedTuple):
    """Parameters, running batch statistics and optimizer state of one classifier."""

    params: PyTree
    batch_stats: PyTree
    opt_state: PyTree


class Task(NamedTuple):
    """What there is to tell apart.

    Attributes:
      classes: how many there are.
      data: host arrays by name, see `System.shared`.
      draw: `(data, key) -> (images, labels)`, float32 `[B, H, W, C]` in [0, 1] and int32 `[B]`:
        this device's share of a batch.
      images: to test on, `[N, H, W, C]`: uint8, or float32 in [0, 1] as they are to be seen.
      labels: int32 `[N]` of those.
    """

    classes: int
    data: PyTree
    draw: Callable[[Mapping[str, jax.Array], jax.Array], tuple[jax.Array, jax.Array]]
    images: np.ndarray
    labels: np.ndarray


def labelled(
    config: ConfigDict, train: Dataset, test: Dataset, size: int = 0, axis_name: str | None = None
) -> Task:
    """The labels of `train`, tested on `test`. Arguments are as in `build`, but for both.

    `data["pool"]` says which images of `train` are drawn: all of them.
    """
    prepare = _prepare(size)

    def draw(data, key):
        index = draw_indices(key, data["pool"], config.batch_size)
        index = collectives.share(index, axis_name)
        return prepare(data["images"][index]), data["labels"][index]

    count = len(train.labels)
    everything = Pool(np.arange(count, dtype=np.int32), np.int32(count))
    data = {"images": train.images, "labels": train.labels, "pool": everything}
    return Task(class_count(train), data, draw, test.images, test.labels)


def build(config: ConfigDict, task: Task, size: int = 0, axis_name: str | None = None) -> System:
    """A classifier that learns a task.

    Args:
      config: `config.classifier`: kind, stages, hidden, dropout, batch_size, steps, learning_rate.
      task: what it learns and is tested on.
      size: side that images of uint8 are padded to with zeros; 0 leaves them.
      axis_name: device axis, or None.

    Raises:
      ValueError: if the classifier is one of faces and there are not two classes.
    """
    network = _network(config, task.classes, axis_name)
    schedule = optax.cosine_decay_schedule(config.learning_rate, max(config.steps, 1))
    optimizer = optax.adam(schedule)
    classify = jax.jit(predictor(config, task.classes, size))

    def init(key: jax.Array) -> State:
        example = _prepare(size)(jnp.asarray(task.images[:1]))
        state = untrained(config, task.classes, example, key)
        return state._replace(opt_state=optimizer.init(state.params))

    def step(state: State, data: Mapping[str, jax.Array], key: jax.Array) -> tuple[State, Metrics]:
        draw_key, dropout_key = jax.random.split(key)
        images, labels = task.draw(data, draw_key)

        def loss_fn(params):
            logits, updates = network.apply(
                {"params": params, "batch_stats": state.batch_stats},
                images,
                train=True,
                mutable=["batch_stats"],
                rngs={"dropout": dropout_key},
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            batch_stats = updates.get("batch_stats", {})
            return losses.sum() / config.batch_size, (losses, logits, batch_stats)

        gradients, (losses, logits, batch_stats) = jax.grad(loss_fn, has_aux=True)(state.params)
        gradients = collectives.psum(gradients, axis_name)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        correct = (logits.argmax(axis=1) == labels).astype(jnp.float32)
        count = jnp.float32(config.batch_size)
        totals = collectives.psum((losses.sum(), correct.sum()), axis_name)
        metrics = {"loss": Mean(totals[0], count), "accuracy": Mean(totals[1], count)}
        return State(params, batch_stats, opt_state), metrics

    def evaluate(state: State, auxiliary: Mapping[str, PyTree], complete: bool) -> Evaluation:
        del auxiliary
        images = task.images if complete else task.images[:1000]
        labels = task.labels[: len(images)]
        predicted = in_chunks(lambda index: classify(state, images[index]), len(images), 500)
        accuracy = float((predicted == labels).mean())
        return Evaluation({"accuracy": accuracy}, {"accuracy": {"test": accuracy}}, {})

    def draw_figures(evaluation: Evaluation, records: list[dict]) -> dict:
        del evaluation
        training = [r for r in records if "loss" in r]
        steps = [r["step"] for r in training]
        return {"loss": lines.curves({"loss": (steps, [r["loss"] for r in training])}, "Loss")}

    return System(
        name="classification",
        init=init,
        phases=(Phase("classification", config.steps, step),),
        data={},
        shared=task.data,
        evaluate=evaluate,
        figures=draw_figures,
        headline=lambda summary: {"accuracy": summary["accuracy"]["test"]},
    )


def untrained(config: ConfigDict, classes: int, example: jax.Array, key: jax.Array) -> State:
    """A fresh classifier of images like `example` `[1, H, W, C]`, without an optimizer's state."""
    variables = _network(config, classes, None).init(key, example)
    return State(variables["params"], variables.get("batch_stats", {}), ())


def class_count(dataset: Dataset) -> int:
    """Labels are 0 .. classes - 1; classes that no image has in between count too."""
    return int(dataset.labels.max()) + 1


def predictor(
    config: ConfigDict, classes: int, size: int = 0
) -> Callable[[State, jax.Array], jax.Array]:
    """The function `(state, images [B, H, W, C]) -> class int32 [B]`.

    Images are uint8, which are scaled and padded, or float32 in [0, 1], taken as they are.
    """
    network = _network(config, classes, None)
    prepare = _prepare(size)

    def predict(state: State, images: jax.Array) -> jax.Array:
        images = prepare(images)
        variables = {"params": state.params, "batch_stats": state.batch_stats}
        return network.apply(variables, images).argmax(axis=1).astype(jnp.int32)

    return predict


def _network(config: ConfigDict, classes: int, axis_name: str | None) -> nn.Module:
    return CLASSIFIERS[config.kind](config, classes, axis_name)


def _prepare(size: int) -> Callable[[jax.Array], jax.Array]:
    def prepare(images: jax.Array) -> jax.Array:
        if images.dtype != jnp.uint8:
            return images
        return to_float(pad(images, size) if size else images)

    return prepare
