"""Normalisation as in PyTorch, whose running averages are of the unbiased variance."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax import collectives

_EPSILON = 1e-5
_MOMENTUM = 0.9  # 0.1 in PyTorch's words


class BatchNorm(nn.Module):
    """Normalises over all axes but the last, scales and shifts.

    Attributes:
      scale_init: of the scale.
      axis_name: device axis over which statistics are taken, or None.
    """

    scale_init: nn.initializers.Initializer = nn.initializers.ones
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Normalises floats `[..., C]`, to float32, by the batch's moments or by the running ones.

        With `train`, `batch_stats` is mutable: `mean` and the unbiased `var`, both `[C]`.
        """
        x = x.astype(jnp.float32)  # moments of bfloat16 would be rounded
        shape = x.shape[-1:]
        scale = self.param("scale", self.scale_init, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape)
        if train:
            mean, var, count = self._moments(x)
            if not self.is_initializing():
                unbiased = var * (count / max(count - 1, 1))
                running_mean.value = _moved(running_mean.value, mean)
                running_var.value = _moved(running_var.value, unbiased)
        else:
            mean, var = running_mean.value, running_var.value
        lead = (1,) * (x.ndim - 1)
        factor = scale * jax.lax.rsqrt(var + _EPSILON)
        return (x - mean.reshape(*lead, -1)) * factor.reshape(*lead, -1) + bias.reshape(*lead, -1)

    def _moments(self, x: jax.Array) -> tuple[jax.Array, jax.Array, int]:
        """Mean and biased variance `[C]` over all devices, and of how many numbers."""
        axis_name = None if self.is_initializing() else self.axis_name
        axes = tuple(range(x.ndim - 1))
        devices = collectives.size(axis_name)
        count = x.size // x.shape[-1] * devices
        mean = collectives.psum(x.mean(axes), axis_name) / devices
        off = jnp.square(x - mean.reshape((1,) * len(axes) + (-1,)))
        return mean, collectives.psum(off.mean(axes), axis_name) / devices, count


def normalize_instances(x: jax.Array) -> jax.Array:
    """Normalises every channel of every image by itself: float32 `[B, H, W, C]` to the same."""
    mean = x.mean((1, 2), keepdims=True)
    var = jnp.square(x - mean).mean((1, 2), keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + _EPSILON)


def _moved(average: jax.Array, value: jax.Array) -> jax.Array:
    return _MOMENTUM * average + (1 - _MOMENTUM) * jax.lax.stop_gradient(value)
