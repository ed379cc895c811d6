"""Experts: image-to-image networks, one expert and one batch of images at a time."""

from collections.abc import Callable

import flax.linen as nn
import jax

from icm_jax.networks.convolution import conv_general_dilated


class ConvExpert(nn.Module):
    """The paper's expert: 3x3 convolutions with batch norm and ELU, then one to C channels.

    28,609 trainable parameters at the defaults and one channel (Parascandolo et al. 2018,
    the table of the reproduction: four times [3x3, 32, BN, ELU], then [3x3, 1, sigmoid]).

    Attributes:
      filters: channels of each hidden convolution.
      layers: number of hidden convolutions.
      activation: after each hidden convolution's batch norm.
      axis_name: device axis over which batch statistics are taken, or None.
    """

    filters: int = 32
    layers: int = 4
    activation: Callable[[jax.Array], jax.Array] = nn.elu
    axis_name: str | None = None

    @nn.compact
    def __call__(self, images: jax.Array, use_running_average: bool = False) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to images of the same shape in (0, 1).

        `batch_stats` collected with `use_running_average=False` are those of this batch alone;
        whoever wants a running average keeps it (see `icm_jax.competition`).
        """
        x = images
        for _ in range(self.layers):
            x = nn.Conv(self.filters, (3, 3), conv_general_dilated=conv_general_dilated)(x)
            x = nn.BatchNorm(use_running_average, momentum=0.0, axis_name=self.axis_name)(x)
            x = self.activation(x)
        x = nn.Conv(images.shape[-1], (3, 3), conv_general_dilated=conv_general_dilated)(x)
        return nn.sigmoid(x)
