"""Batch norm by statistics that are stored for a grid of truncations, as BigGAN has it."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.imagenet.networks.spectral import SpectralDense

_EPSILON = 1e-4
TRUNCATIONS = 51  # 0, .02, ..., 1
# Of a step: how near a truncation is taken to lie on the grid, since 0.3 / 0.02 is not quite 15.
_ON_GRID = 1e-3


def interpolate(table: jax.Array, truncation: jax.Array, published: bool = False) -> jax.Array:
    """The row of a table at a truncation, on its grid or between.

    Args:
      table: `[T, C]`, its rows at truncations 0, 1 / (T - 1), ..., 1.
      truncation: scalar; outside [0, 1] it counts as 0 or 1.
      published: as the public code has it, which takes the nearer row with the smaller weight: at
        a quarter of a step 0.25 of the row below and 0.75 of that above. On the grid the two agree.

    Returns:
      `[C]`.
    """
    last = table.shape[0] - 1
    position = jnp.clip(jnp.asarray(truncation, jnp.float32) * last, 0, last)
    nearest = jnp.round(position)
    position = jnp.where(jnp.abs(position - nearest) < _ON_GRID, nearest, position)
    below = jnp.floor(position)
    weight = position - below  # of the row above
    if published:
        weight = jnp.where(weight > 0, 1 - weight, 0)
    row = below.astype(jnp.int32)
    return (1 - weight) * table[row] + weight * table[jnp.minimum(row + 1, last)]


class TruncatedBatchNorm(nn.Module):
    """Batch norm by the stored statistics of a truncation.

    Attributes:
      conditional: whether scale and shift come of a condition, 1 + S c and O c, instead of being
        parameters.
      published_interpolation: see `interpolate`.
      compute: number formats.
    """

    conditional: bool = True
    published_interpolation: bool = False
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, x: jax.Array, truncation: jax.Array, condition: jax.Array | None = None
    ) -> jax.Array:
        """Normalises `[B, H, W, C]`, in float32.

        Args:
          x: floats `[B, H, W, C]`.
          truncation: scalar.
          condition: `[B, Z]`, where it is conditional.

        Returns:
          float32 `[B, H, W, C]`. `batch_stats` has `mean` and `var`, both `[51, C]`.
        """
        channels = x.shape[-1]
        shape = (TRUNCATIONS, channels)
        means = self.variable("batch_stats", "mean", jnp.zeros, shape)
        variances = self.variable("batch_stats", "var", jnp.ones, shape)
        mean, var = (
            interpolate(table.value, truncation, self.published_interpolation)
            for table in (means, variances)
        )
        if self.conditional:
            scale, shift = (
                SpectralDense(channels, compute=self.compute, name=name)(condition)
                for name in ("scale", "offset")
            )
            scale, shift = 1 + scale.astype(jnp.float32), shift.astype(jnp.float32)
        else:
            scale = self.param("scale", nn.initializers.ones, (channels,))[None]
            shift = self.param("bias", nn.initializers.zeros, (channels,))[None]
        factor = scale * jax.lax.rsqrt(var + _EPSILON)[None]
        centred = x.astype(jnp.float32) - mean[None, None, None]
        return centred * factor[:, None, None] + shift[:, None, None]
