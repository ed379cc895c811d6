"""Experts: image-to-image networks, one expert and one batch of images at a time."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.networks.normalization import BatchNorm, Statistics


class ConvExpert(nn.Module):
    """The paper's expert: 3x3 convolutions with batch norm and ELU, then one to C channels.

    28,609 trainable parameters at the defaults and one channel (Parascandolo et al. 2018,
    the table of the reproduction: four times [3x3, 32, BN, ELU], then [3x3, 1, sigmoid]).

    Attributes:
      filters: channels of each hidden convolution.
      layers: number of hidden convolutions.
      activation: after each hidden convolution's batch norm.
      axis_name: device axis over which batch statistics are taken, or None.
      compute: number formats and convolutions.
    """

    filters: int = 32
    layers: int = 4
    activation: Callable[[jax.Array], jax.Array] = nn.elu
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, statistics: Statistics = "batch") -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to images of the same shape in (0, 1).

        `statistics` says whose batch statistics normalise, see `BatchNorm`.
        """
        x = images
        for _ in range(self.layers):
            x = self.compute.conv(self.filters)(x)
            x = self.activation(BatchNorm(self.axis_name, x.dtype)(x, statistics))
        x = self.compute.conv(images.shape[-1])(x)
        return nn.sigmoid(x.astype(jnp.float32))
