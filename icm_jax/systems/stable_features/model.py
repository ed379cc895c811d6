"""The classifier of stable features: how it sees a batch, learns from it and is put to use."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from icm_jax.chunks import in_chunks
from icm_jax.data import shift, to_float
from icm_jax.networks.compute import Compute
from icm_jax.schedules import decaying
from icm_jax.supervised import Parameters, apply_in_training, init_parameters
from icm_jax.system import PyTree
from icm_jax.systems.stable_features.channels import to_channels
from icm_jax.systems.stable_features.networks.features import Outputs
from icm_jax.systems.stable_features.networks.registry import CLASSIFIERS

_CHUNK = 500  # images a call where many are put through


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
        return init_parameters(self.outside, images, key)

    def see(self, images: jax.Array, channel: jax.Array) -> jax.Array:
        """uint8 `[B, H, W, 1]` in channels int32 `[B]` as the network sees them.

        Returns:
          float32 `[B, H, W, C]` in [0, 1]; `[B, H, W, 1]` where channels cannot be seen.
        """
        return to_channels(images, channel, self.channels) if self.channels else to_float(images)

    def learn(
        self, parameters: Parameters, images: jax.Array, channel: jax.Array, key: jax.Array
    ) -> tuple[Outputs, PyTree]:
        """Outputs of moved images, with dropout, and the running batch statistics after it.

        Args:
          parameters: of the network.
          images: uint8 `[b, H, W, 1]`, this device's share.
          channel: int32 `[b]`.
          key: typed key `[]`.
        """
        shift_key, dropout_key = jax.random.split(key)
        seen = self.see(shift(shift_key, images, self.shift), channel)
        return apply_in_training(self.network, parameters, seen, dropout_key)

    def use(self, parameters: Parameters, images: jax.Array, channel: jax.Array) -> Outputs:
        """Outputs out of training, of one device's images uint8 `[B, H, W, 1]` in `[B]`."""
        return self.outside.apply(parameters._asdict(), self.see(images, channel))


def make_model(
    config: ConfigDict, classes: int, channels: int, axis_name: str | None = None
) -> Model:
    """The network of a config; see `icm_jax.systems.stable_features.config`."""
    network = CLASSIFIERS[config.network]
    compute = Compute(config.precision, config.convolution)
    inside, outside = (
        network(classes, axis_name=axis, compute=compute) for axis in (axis_name, None)
    )
    seen = 0 if config.method == "oracle" else channels
    return Model(inside, seen, outside, config.shift)


def make_optimizer(config: ConfigDict, steps: int) -> optax.GradientTransformation:
    """Adam of a phase of `steps` steps; weight decay goes into the gradient, as in PyTorch's."""
    adam = optax.adam(decaying(config, steps))
    return optax.chain(optax.add_decayed_weights(config.weight_decay), adam)


# (parameters, images uint8 [N, H, W, 1], channel int32 [N]) -> outputs on the host
ApplyBatched = Callable[[Parameters, np.ndarray, np.ndarray], Outputs]


def make_apply_batched(model: Model) -> ApplyBatched:
    """A function that puts any number of images through the network, some at a time.

    Its outputs are float32, whatever the network computes in.
    """
    use = jax.jit(model.use)

    def apply_batched(parameters: Parameters, images: np.ndarray, channel: np.ndarray) -> Outputs:
        def call(index: np.ndarray) -> Outputs:
            return use(parameters, images[index], channel[index])

        outputs = in_chunks(call, len(images), _CHUNK)
        return Outputs(*(np.asarray(array, np.float32) for array in outputs))

    return apply_batched
