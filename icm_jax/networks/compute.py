"""How networks compute: number formats and convolutions. Parameters are float32 always."""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.convolution import conv_general_dilated

_FORMATS = {
    "float32": (jnp.float32, jax.lax.Precision.HIGHEST),
    "tf32": (jnp.float32, jax.lax.Precision.DEFAULT),
    "bfloat16": (jnp.bfloat16, jax.lax.Precision.DEFAULT),
}
PRECISIONS = tuple(_FORMATS)


class Compute(NamedTuple):
    """What every layer of a network is made with.

    Attributes:
      precision: 'float32'; 'tf32', float32 whose products may be rounded where the hardware does
        so (NVIDIA GPUs, TPUs; elsewhere it is float32); 'bfloat16' activations and products.
      convolution: one of `icm_jax.networks.convolution.LOWERINGS`.
    """

    precision: str = "float32"
    convolution: str = "auto"

    @property
    def dtype(self) -> jnp.dtype:
        """Of activations."""
        return _FORMATS[self.precision][0]

    def conv(self, features: int, size: int = 3, stride: int = 1, padding: str = "SAME") -> nn.Conv:
        """A convolution of `size` x `size`; with 'SAME', zeros around, a side s becomes s / stride.

        That is rounded up.
        """
        dtype, precision = _FORMATS[self.precision]
        lowered = functools.partial(conv_general_dilated, lowering=self.convolution)
        return nn.Conv(
            features,
            (size, size),
            (stride, stride),
            padding=padding,
            dtype=dtype,
            precision=precision,
            conv_general_dilated=lowered,
        )

    def dense(self, features: int, use_bias: bool = True, name: str | None = None) -> nn.Dense:
        """A dense layer; on images, a convolution of 1 x 1."""
        dtype, precision = _FORMATS[self.precision]
        return nn.Dense(features, use_bias, dtype=dtype, precision=precision, name=name)
