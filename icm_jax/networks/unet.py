"""A U-shaped expert: it sees far, keeps detail, and leaves alone what is to stay."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.networks.normalization import BatchNorm, Statistics

# A gate of sigmoid(-2) = 0.12: an expert begins near the identity, but not so near that experts
# are all alike.
_CLOSED = -2.0


class UNetExpert(nn.Module):
    """Residual convolutions at several scales, with a skip at each, and a gate for every pixel.

    A scale has half the side of the one before, rounded up, and twice its channels. Down goes a
    3x3 convolution of stride 2, up a 1x1 convolution and bilinear interpolation, to which the skip
    is added; at each scale there is one residual 3x3 convolution each way. The output is
    `(1 - gate) * images + gate * drawn`: what an expert does not redraw it keeps exactly.
    335,298 parameters at the defaults and one channel (Ronneberger et al. 2015; the gate is that
    of highway networks, Srivastava et al. 2015).

    Attributes:
      filters: channels at the images' own scale.
      scales: how many there are, 1 or more.
      activation: after each batch norm.
      output: what makes pixels of what is drawn.
      axis_name: device axis over which batch statistics are taken, or None.
      compute: number formats and convolutions.
    """

    filters: int = 32
    scales: int = 3
    activation: Callable[[jax.Array], jax.Array] = nn.elu
    output: Callable[[jax.Array], jax.Array] = nn.sigmoid
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, images: jax.Array, statistics: Statistics = "batch", keys: jax.Array | None = None
    ) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to float32 images of that shape.

        They are in [0, 1] or, where `output` has no bound, not below 0. `statistics` says whose
        batch statistics normalise, see `BatchNorm`. Nothing is drawn.
        """

        def block(x, filters, stride=1):
            x = self.compute.conv(filters, stride=stride)(x)
            return self.activation(BatchNorm(self.axis_name, x.dtype)(x, statistics))

        x = block(images, self.filters)
        skips = []
        for scale in range(1, self.scales):
            skips.append(x)
            filters = self.filters * 2**scale
            x = block(x, filters, stride=2)
            x = x + block(x, filters)
        for skip in reversed(skips):
            x = self.compute.conv(skip.shape[-1], size=1)(x)
            x = skip + jax.image.resize(x, skip.shape, "linear")
            x = x + block(x, skip.shape[-1])
        x = self.compute.conv(images.shape[-1] + 1)(x).astype(jnp.float32)
        gate = nn.sigmoid(x[..., :1] + _CLOSED)
        return images + gate * (self.output(x[..., 1:]) - images)
