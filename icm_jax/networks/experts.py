"""Experts: image-to-image networks, one expert and one batch of images at a time.

All kinds are called alike, `expert(images, statistics, keys)`, so that what trains and uses them
need not know which they are. An expert that draws something takes a key an image; one whose images
cost more than what they look like sows that cost, `[B]`, into the collection `PENALTY`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.networks.normalization import BatchNorm, Statistics

PENALTY = "penalty"


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
    activation: Callable[[jax.Array], jax.Array] = nn.elu
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
        x = images
        for _ in range(self.layers):
            x = self.compute.conv(self.filters)(x)
            x = self.activation(BatchNorm(self.axis_name, x.dtype)(x, statistics))
        x = self.compute.conv(images.shape[-1])(x)
        return self.output(x.astype(jnp.float32))
