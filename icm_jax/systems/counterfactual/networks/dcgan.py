"""The generator of a DCGAN that is given the label (Radford et al. 2016; Mirza & Osindero 2014)."""

from collections.abc import Callable

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
            features = factor * self.width
            x = self._doubled(features)(x) if number else self._spread(features)(x)
            x = nn.leaky_relu(BatchNorm(axis_name=self.axis_name)(x, train), 0.2)
        return jnp.tanh(self._doubled(3)(x)).astype(jnp.float32)

    def _doubled(self, features: int) -> nn.Conv:
        return self.compute.conv_transposed(features, 4, kernel_init=_INIT)

    def _spread(self, features: int) -> nn.Conv:
        return self.compute.conv(features, 4, around=_spread_pixel, kernel_init=_INIT)


def _spread_pixel(conv: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """In place of `conv` the transposed convolution of one pixel: it becomes as large as a kernel.

    On a CPU the gradient of a product is much faster than of a convolution of mostly zeros.
    """
    del conv

    def convolve(lhs, rhs, window_strides, padding, *, precision, **kwargs):
        del window_strides, padding, kwargs
        chex.assert_shape(lhs, (None, 1, 1, None))
        kernel = jnp.flip(rhs, (0, 1))
        return jnp.einsum("bc,hwcf->bhwf", lhs[:, 0, 0], kernel, precision=precision)

    return convolve
