"""Batch norm whose statistics' gradient can go through a part of the batch.

An expert's winners learn from the images that they won, run again. Their outputs depend on the
statistics of the whole batch, and experts specialize only where the gradient goes through those
(docs/icm_recipe.md). Through all images it costs a backward pass of the whole batch an expert. Here
a few images, the reference, stand for all: the statistics have the value of the whole batch and the
gradient that the reference's have. The batch is drawn at random, so that this gradient is an
unbiased estimate of the whole one.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax import collectives

Statistics = Literal["batch", "reference", "given"]


class BatchNorm(nn.Module):
    """Normalises over all axes but the last, scales and shifts; as `flax.linen.BatchNorm`.

    Statistics are kept in float32 in the collection `batch_stats` and are those of one batch;
    whoever wants a running average keeps it.

    Attributes:
      axis_name: device axis over which statistics are taken, or None.
      dtype: of the output.
      epsilon: added to the variance.
    """

    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array, statistics: Statistics) -> jax.Array:
        """Normalises `[B, H, W, C]`.

        Args:
          x: any float type.
          statistics: 'batch', those of `x`, which `batch_stats` then holds; 'given', those that
            `batch_stats` holds; 'reference', the same with the gradient of the statistics of `x`,
            which `batch_stats` then carries.
        """
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        var = self.variable("batch_stats", "var", jnp.ones, shape)
        wide = x.astype(jnp.float32)
        if statistics == "batch":
            mean.value, var.value = self._moments(wide)
        elif statistics == "reference":
            mean.value, var.value = _with_gradient_of(wide, mean.value, var.value)
        factor = scale * jax.lax.rsqrt(var.value + self.epsilon)
        mean, factor, bias = (_broadcast(t, x) for t in (mean.value, factor, bias))
        return ((wide - mean) * factor + bias).astype(self.dtype)

    def _moments(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        axes = tuple(range(x.ndim - 1))
        moments = x.mean(axes), jnp.square(x).mean(axes)
        if not self.is_initializing():
            total = collectives.psum(moments, self.axis_name)
            moments = jax.tree.map(lambda t: t / collectives.size(self.axis_name), total)
        mean, square = moments
        return mean, jnp.maximum(square - jnp.square(mean), 0.0)


def _with_gradient_of(x: jax.Array, mean: jax.Array, var: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`mean` and `var` with the gradient of those of `x`."""
    mean, var = jax.lax.stop_gradient((mean, var))
    axes = tuple(range(x.ndim - 1))
    # The variance about a constant mean: its derivative is that of the variance, since the mean
    # of the whole batch is where it is smallest.
    moments = x.mean(axes), jnp.square(x - _broadcast(mean, x)).mean(axes)
    zero = jax.tree.map(lambda t: t - jax.lax.stop_gradient(t), moments)
    return mean + zero[0], var + zero[1]


def _broadcast(vector: jax.Array, x: jax.Array) -> jax.Array:
    """`[C]` as `[1, ..., C]` of the rank of `x`."""
    return vector.reshape((1,) * (x.ndim - 1) + (-1,))
