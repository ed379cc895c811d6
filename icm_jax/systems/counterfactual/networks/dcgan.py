"""The generator of a DCGAN that is given the label (Radford et al. 2016; Mirza & Osindero 2014)."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.networks.normalization import BatchNorm

_EMBEDDING = 10
_START = 4  # pixels a side after the first convolution
_INIT = nn.initializers.normal(0.02)


class Dcgan(nn.Module):
    """Transposed convolutions from one pixel to an image, 42, 256, 128, 64 and 3 channels.

    As a public reproduction of Sauer and Geiger 2021 had it to compare with, of 32 pixels; at 64
    the side doubles once more.

    Attributes:
      classes: L, labels are 0 to L - 1.
      size: S, pixels a side: 32 or 64.
      width: channels before the last convolution; twice and four times as many before.
      axis_name: device axis, or None.
      compute: number formats.
    """

    classes: int
    size: int = 32
    width: int = 64
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, noise: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
        """Maps noise `[B, Z]` and labels int32 `[B]` to images `[B, S, S, 3]` in [-1, 1].

        With `train`, `batch_stats` is mutable.
        """
        chex.assert_rank([noise, labels], [2, 1])
        embed = nn.Embed(self.classes, _EMBEDDING, embedding_init=nn.initializers.normal(1.0))
        x = jnp.concatenate([noise, embed(labels)], axis=1)[:, None, None]
        doubled = (self.size // _START).bit_length() - 1
        widths = (4, 2, *[1] * (doubled - 2))
        for number, factor in enumerate(widths):
            stride, padding = (2, "SAME") if number else (1, "VALID")
            x = self._up(factor * self.width, stride, padding)(x)
            x = nn.leaky_relu(BatchNorm(axis_name=self.axis_name)(x, train), 0.2)
        return jnp.tanh(self._up(3, 2, "SAME")(x)).astype(jnp.float32)

    def _up(self, features: int, stride: int, padding: str) -> nn.ConvTranspose:
        return self.compute.conv_transposed(features, 4, stride, padding, kernel_init=_INIT)
