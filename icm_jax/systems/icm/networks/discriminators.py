"""Discriminators: images to one logit each, high for canonical images."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax

from icm_jax.networks.activations import elu
from icm_jax.networks.compute import Compute
from icm_jax.networks.layers import one_logit


class ConvDiscriminator(nn.Module):
    """The paper's discriminator: stages of 3x3 convolutions, average pooling between them, ELU.

    665,985 parameters at the defaults on 28x28x1 (Parascandolo et al. 2018). No batch norm: every
    image is scored by itself. Sides that pooling does not divide lose their last row or column.

    Attributes:
      stages: for each stage the filters of its convolutions; each stage ends in 2x2 pooling.
      hidden: width of the dense layer before the logit.
      activation: after each convolution and the dense layer.
      compute: number formats and convolutions.
    """

    stages: Sequence[Sequence[int]] = ((16, 16, 16), (32, 32), (64, 64))
    hidden: int = 1024
    activation: Callable[[jax.Array], jax.Array] = elu
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to logits `[B]`."""
        return one_logit(images, self.stages, (self.hidden,), self.activation, self.compute)
