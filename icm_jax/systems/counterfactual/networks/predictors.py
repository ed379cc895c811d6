"""Networks that tell the colours of an image from a classifier's features."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.networks.normalization import BatchNorm


class ColorPredictors(nn.Module):
    """One network for each channel of colour: two convolutions (models.py of the code of LNTL).

    Attributes:
      bins: that the brightness of a channel falls into.
      axis_name: device axis, or None.
      compute: number formats and convolutions.
    """

    bins: int = 8
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, features: jax.Array, train: bool = False) -> jax.Array:
        """Maps features `[B, H, W, C]` to logits `[B, H, W, 3, bins]`.

        With `train`, `batch_stats` is mutable.
        """
        chex.assert_rank(features, 4)
        channels = []
        for _ in range(3):
            x = self.compute.conv(features.shape[-1])(features)
            x = nn.relu(BatchNorm(axis_name=self.axis_name)(x, train))
            channels.append(self.compute.conv(self.bins)(x))
        return jnp.stack(channels, axis=3)
