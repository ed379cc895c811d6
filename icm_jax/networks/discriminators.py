"""Discriminators: images to one logit each, high for canonical images."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute


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
    activation: Callable[[jax.Array], jax.Array] = nn.elu
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to logits `[B]`."""
        x = images
        for stage in self.stages:
            for filters in stage:
                x = self.compute.conv(filters)(x)
                x = self.activation(x)
            x = nn.avg_pool(x, (2, 2), (2, 2))
        x = x.reshape(x.shape[0], -1)
        x = self.activation(self.compute.dense(self.hidden)(x))
        return self.compute.dense(1)(x)[:, 0].astype(jnp.float32)
