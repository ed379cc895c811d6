"""The classifier of stable features: how it sees a batch, learns from it and is put to use."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.data import shift, to_float
from icm_jax.networks.compute import Compute
from icm_jax.systems.stable_features.channels import to_channels
from icm_jax.systems.stable_features.networks.features import Outputs
from icm_jax.systems.stable_features.networks.registry import CLASSIFIERS

PyTree = Any
_CHUNK = 500  # images a call where many are put through


class Parameters(NamedTuple):
    """What a network is applied with."""

    params: PyTree
    batch_stats: PyTree


class Learner(NamedTuple):
    """A network in training: its parameters and the optimizer's state."""

    parameters: Parameters
    opt_state: PyTree


class Model(NamedTuple):
    """A network and how images are made for it.

    Attributes:
      network: maps images `[B, H, W, C]` to `Outputs`; reduces batch statistics over the devices.
      channels: C; 0 leaves images grey, so that the channel cannot be seen.
      outside: the same network where there are no devices to reduce over.
      shift: how many pixels images are moved at most in training.
    """

    network: nn.Module
    channels: int
    outside: nn.Module
    shift: int = 0

    def init(self, key: jax.Array, shape: tuple[int, ...]) -> Parameters:
        """Fresh parameters for grey images of a shape `(H, W, 1)`."""
        images = self.see(jnp.zeros((1, *shape), jnp.uint8), jnp.zeros(1, jnp.int32))
        variables = self.outside.init(key, images)
        return Parameters(variables["params"], variables.get("batch_stats", {}))

    def see(self, images: jax.Array, channel: jax.Array) -> jax.Array:
        """uint8 `[B, H, W, 1]` as the network sees them, float32 `[B, H, W, C]`."""
        return to_channels(images, channel, self.channels) if self.channels else to_float(images)

    def learn(
        self, parameters: Parameters, images: jax.Array, channel: jax.Array, key: jax.Array
    ) -> tuple[Outputs, PyTree]:
        """Outputs of moved images, with dropout, and the running batch statistics after it."""
        shift_key, dropout_key = jax.random.split(key)
        outputs, updates = self.network.apply(
            parameters._asdict(),
            self.see(shift(shift_key, images, self.shift), channel),
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": dropout_key},
        )
        return outputs, updates.get("batch_stats", {})

    def use(self, parameters: Parameters, images: jax.Array, channel: jax.Array) -> Outputs:
        """Outputs out of training, of one device's images."""
        return self.outside.apply(parameters._asdict(), self.see(images, channel))


def make_model(
    config: ConfigDict, classes: int, channels: int, axis_name: str | None = None
) -> Model:
    """The network of a config; see `icm_jax.stable_config`."""
    network = CLASSIFIERS[config.network]
    compute = Compute(config.precision, config.convolution)
    inside, outside = (
        network(classes, axis_name=axis, compute=compute) for axis in (axis_name, None)
    )
    seen = 0 if config.method == "oracle" else channels
    return Model(inside, seen, outside, config.shift)


def make_optimizer(config: ConfigDict, steps: int) -> optax.GradientTransformation:
    """Adam of a phase of `steps` steps; weight decay goes into the gradient, as in PyTorch's."""
    falling = round(config.decay * steps)
    rate = optax.join_schedules(
        [
            optax.constant_schedule(config.learning_rate),
            optax.linear_schedule(config.learning_rate, 0.0, max(falling, 1)),
        ],
        [steps - falling],
    )
    return optax.chain(optax.add_decayed_weights(config.weight_decay), optax.adam(rate))


def descend(
    optimizer: optax.GradientTransformation,
    learner: Learner,
    gradient: PyTree,
    batch_stats: PyTree,
    axis_name: str | None,
) -> Learner:
    """The learner after a step along a device's share of the gradient."""
    gradient = collectives.psum(gradient, axis_name)
    params = learner.parameters.params
    updates, opt_state = optimizer.update(gradient, learner.opt_state, params)
    params = optax.apply_updates(params, updates)
    return Learner(Parameters(params, batch_stats), opt_state)


# (parameters, images uint8 [N, H, W, 1], channel int32 [N]) -> outputs on the host
PutThrough = Callable[[Parameters, np.ndarray, np.ndarray], Outputs]


def make_put_through(model: Model) -> PutThrough:
    """A function that puts any number of images through the network, some at a time."""
    use = jax.jit(model.use)

    def put_through(parameters: Parameters, images: np.ndarray, channel: np.ndarray) -> Outputs:
        found = []
        for start in range(0, len(images), _CHUNK):
            part = images[start : start + _CHUNK], channel[start : start + _CHUNK]
            count = len(part[0])
            # Always as many, so that it compiles once.
            full = [np.concatenate([p, np.repeat(p[:1], _CHUNK - count, axis=0)]) for p in part]
            outputs = use(parameters, *full)
            found.append(jax.tree.map(lambda x: np.asarray(x, np.float32)[:count], outputs))  # noqa: B023
        return Outputs(*(np.concatenate(each) for each in zip(*found, strict=True)))

    return put_through
