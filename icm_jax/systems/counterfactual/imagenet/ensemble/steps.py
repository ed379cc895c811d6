"""The step of an invariant ensemble: all heads learn originals, each head counterfactuals."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.supervised import Learner, descend
from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.systems.counterfactual.biased.colors import to_signed
from icm_jax.systems.counterfactual.imagenet.ensemble.augmentation import crop_randomly
from icm_jax.systems.counterfactual.imagenet.ensemble.network import (
    InvariantEnsemble,
    mean_logits,
    normalize,
)
from icm_jax.systems.counterfactual.invariance.supply import Supply
from icm_jax.systems.counterfactual.networks.mechanisms import Each

_FALLS = 3  # parts of training, after each of which the rate falls
_FACTOR = 0.1


class State(NamedTuple):
    """Everything that a run needs to go on: the ensemble in training."""

    learner: Learner


class Training(NamedTuple):
    """How an ensemble learns.

    Attributes:
      config: see `icm_jax.systems.counterfactual.imagenet.ensemble.config`.
      network: the ensemble.
      supply: of counterfactuals.
      axis_name: device axis, or None.
    """

    config: ConfigDict
    network: InvariantEnsemble
    supply: Supply
    axis_name: str | None


class _Batch(NamedTuple):
    """This device's share of b originals and b counterfactuals, `[b, S, S, 3]` in [-1, 1]."""

    images: jax.Array
    labels: jax.Array
    made: jax.Array
    of_mechanisms: Each


def step(training: Training, state: State, data: PyTree, key: jax.Array) -> tuple[State, Metrics]:
    """Draws originals and counterfactuals, and learns the labels of both.

    Args:
      training: network, supply and rates.
      state: before the step.
      data: `images` uint8 `[N, S, S, C]`, `labels` int32 `[N]`, and `generator`, what the supply
        makes counterfactuals of.
      key: typed key `[]` of this step.
    """
    batch = _draw(training, data, key)
    size = training.config.batch_size

    def value(params: PyTree) -> tuple[jax.Array, dict[str, jax.Array]]:
        variables = {**state.learner.parameters._asdict(), "params": params}
        # Batch norm is that of evaluation: images do not depend on each other.
        both = normalize(jnp.concatenate([batch.images, batch.made]))
        logits = training.network.apply(variables, both)
        sums = _sums(logits, batch)
        return (sums["loss"] + sums["counterfactual_loss"]) / size, sums

    gradient, sums = jax.grad(value, has_aux=True)(state.learner.parameters.params)
    batch_stats = state.learner.parameters.batch_stats
    learner = descend(
        make_optimizer(training.config), state.learner, gradient, batch_stats, training.axis_name
    )
    sums = collectives.psum(sums, training.axis_name)
    return State(learner), {name: Mean(total, jnp.float32(size)) for name, total in sums.items()}


def _sums(logits: Each, batch: _Batch) -> dict[str, jax.Array]:
    """Sums over this device's images of losses, and of how many are told right."""
    count = len(batch.labels)
    original = mean_logits(Each(*(of[:count] for of in logits)))
    counterfactual = Each(*(of[count:] for of in logits))
    losses, right = {}, {}
    pairs = zip(Each._fields, counterfactual, batch.of_mechanisms, strict=True)
    for name, of, labels in [("original", original, batch.labels), *pairs]:
        losses[name] = optax.softmax_cross_entropy_with_integer_labels(of, labels).sum()
        right[name] = (of.argmax(axis=1) == labels).astype(jnp.float32).sum()
    return {
        "loss": losses.pop("original"),
        "counterfactual_loss": sum(losses.values()),
        "accuracy": right.pop("original"),
        **{f"{name}_accuracy": of for name, of in right.items()},
    }


def _draw(training: Training, data: PyTree, key: jax.Array) -> _Batch:
    config, axis_name = training.config, training.axis_name
    index_key, supply_key, crop_key, made_crop_key = jax.random.split(key, 4)
    crop_keys = [collectives.own_key(of, axis_name) for of in (crop_key, made_crop_key)]
    size = config.data.crop
    index = jax.random.randint(index_key, (config.batch_size,), 0, len(data["labels"]))
    index = collectives.share(index, axis_name)
    originals = to_signed(data["images"][index])
    originals = jnp.broadcast_to(originals, (*originals.shape[:3], 3))
    arrays = data["generator"]
    made, labels = training.supply.make(arrays, supply_key, config.batch_size, axis_name)
    images = (
        crop_randomly(of, crop_key, size)
        for of, crop_key in zip((originals, made), crop_keys, strict=True)
    )
    originals, made = images
    return _Batch(originals, data["labels"][index], made, labels)


def make_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """SGD with momentum and weight decay, whose rate is a tenth after each third of the steps."""
    of, third = config.optimizer, max(config.steps // _FALLS, 1)
    schedule = optax.exponential_decay(of.learning_rate, third, _FACTOR, staircase=True)
    return optax.chain(
        optax.add_decayed_weights(of.weight_decay), optax.sgd(schedule, momentum=of.momentum)
    )
