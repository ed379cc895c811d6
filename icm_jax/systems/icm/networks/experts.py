"""Experts: image-to-image networks, one expert and one batch of images at a time.

All kinds are called alike, `expert(images, statistics, keys)`, so that what trains and uses them
need not know which they are. An expert that draws something takes a key an image; one whose images
cost more than what they look like sows that cost, `[B]`, into the collection `PENALTY`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.activations import elu
from icm_jax.networks.compute import Compute
from icm_jax.systems.icm.networks.normalization import BatchNorm, Statistics

PENALTY = "penalty"

_DARKEST = 0.01  # pixels are taken for no darker, or their logits would be too far to change
_PART = 0.3  # of what the convolutions of a residual expert make


class ConvExpert(nn.Module):
    """The paper's expert: 3x3 convolutions with batch norm and ELU, then one to C channels.

    28,609 trainable parameters at the defaults and one channel (Parascandolo et al. 2018,
    the table of the reproduction: four times [3x3, 32, BN, ELU], then [3x3, 1, sigmoid]). With
    three channels, `nn.relu` inside and as `output` it is the reproduction's expert for faces.

    Attributes:
      filters: channels of each hidden convolution.
      layers: number of hidden convolutions.
      activation: after each hidden convolution's batch norm.
      output: what makes pixels of the last convolution.
      axis_name: device axis over which batch statistics are taken, or None.
      compute: number formats and convolutions.
    """

    filters: int = 32
    layers: int = 4
    activation: Callable[[jax.Array], jax.Array] = elu
    output: Callable[[jax.Array], jax.Array] = nn.sigmoid
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, images: jax.Array, statistics: Statistics = "batch", keys: jax.Array | None = None
    ) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to float32 images of the same shape.

        They have the range of `output`. `statistics` says whose batch statistics normalise, see
        `BatchNorm`. Nothing is drawn.
        """
        return self.output(self._drawn(images, images.shape[-1], statistics))

    def _drawn(self, x: jax.Array, channels: int, statistics: Statistics) -> jax.Array:
        """What the convolutions make of `[B, H, W, ...]`: float32 `[B, H, W, channels]`."""
        for _ in range(self.layers):
            x = self.compute.conv(self.filters)(x)
            x = self.activation(BatchNorm(self.axis_name, x.dtype)(x, statistics))
        return self.compute.conv(channels)(x).astype(jnp.float32)


class ResidualExpert(ConvExpert):
    """Corrects an image where it stands: what it does not change it keeps, to within 0.01.

    The convolutions see the image and, as two more channels, where each pixel is (CoordConv, Liu
    et al. 2018). What they make is added to the logits of the image's own pixels, a third of it, so
    that experts begin near the identity but not alike. With few layers and filters an expert has
    room for one correction and not for all: larger ones take several mechanisms. 3,555 parameters
    with 2 layers of 16 filters and three channels. `output` is not used: pixels are in (0, 1).

    Attributes:
      patch: side of the squares of pixels that the convolutions take for one place, so that they
        reach as far across a large image as they do, with 1, across a small one, at its price.
    """

    patch: int = 1

    @nn.compact
    def __call__(
        self, images: jax.Array, statistics: Statistics = "batch", keys: jax.Array | None = None
    ) -> jax.Array:
        """As that of `ConvExpert`, but in (0, 1).

        Raises:
          ValueError: if `patch` does not divide the sides of images.
        """
        near = jnp.clip(images, _DARKEST, 1 - _DARKEST)
        patches = _patches(images, self.patch)
        seen = jnp.concatenate([patches, _coordinates(patches)], axis=-1)
        change = _pixels(self._drawn(seen, patches.shape[-1], statistics), self.patch)
        return nn.sigmoid(jax.scipy.special.logit(near) + _PART * change)


def _patches(images: jax.Array, side: int) -> jax.Array:
    """Squares of pixels as places: `[B, H, W, C]` to `[B, H/s, W/s, s*s*C]`."""
    batch, height, width, channels = images.shape
    if height % side or width % side:
        raise ValueError(
            f"experts.patch: {side} does not divide images of {height}x{width}; take one that does"
        )
    cut = images.reshape(batch, height // side, side, width // side, side, channels)
    return cut.swapaxes(2, 3).reshape(batch, height // side, width // side, -1)


def _pixels(patches: jax.Array, side: int) -> jax.Array:
    """What `_patches` cut, put together again."""
    batch, down, across, _ = patches.shape
    cut = patches.reshape(batch, down, across, side, side, -1)
    return cut.swapaxes(2, 3).reshape(batch, down * side, across * side, -1)


def _coordinates(images: jax.Array) -> jax.Array:
    """Where each pixel is, down and across, from -1 to 1: `[B, H, W, 2]`."""
    batch, *sides, _ = images.shape
    grid = jnp.stack(jnp.meshgrid(*(jnp.linspace(-1, 1, s) for s in sides), indexing="ij"), -1)
    return jnp.broadcast_to(grid.astype(images.dtype), (batch, *sides, 2))
