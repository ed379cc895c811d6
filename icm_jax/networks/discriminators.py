"""Discriminators: images to one logit each, high for canonical images."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.activations import elu
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
    activation: Callable[[jax.Array], jax.Array] = elu
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to logits `[B]`."""
        return one_logit(images, self.stages, (self.hidden,), self.activation, self.compute)


def one_logit(
    images: jax.Array,
    stages: Sequence[Sequence[int]],
    hidden: Sequence[int],
    activation: Callable[[jax.Array], jax.Array],
    compute: Compute,
) -> jax.Array:
    """The layers of a network of one logit, within the module that calls it.

    Args:
      images: `[B, H, W, C]` in [0, 1].
      stages: as in `ConvDiscriminator`.
      hidden: widths of the dense layers before the logit.
      activation: after each convolution and dense layer.
      compute: number formats and convolutions.

    Returns:
      Logits, float32 `[B]`.
    """
    x = images
    for stage in stages:
        for filters in stage:
            x = activation(compute.conv(filters)(x))
        x = halved(x)
    x = x.reshape(x.shape[0], -1)
    for width in hidden:
        x = activation(compute.dense(width)(x))
    return compute.dense(1)(x)[:, 0].astype(jnp.float32)


def halved(x: jax.Array) -> jax.Array:
    """Average pooling 2x2, the end of a stage: `[B, H, W, C]` to `[B, H//2, W//2, C]`.

    Raises:
      ValueError: if nothing would be left.
    """
    height, width = x.shape[1:3]
    if min(height, width) < 2:
        raise ValueError(
            f"stages: one more than images have room for, whose {height}x{width} places it would "
            "halve; take fewer in discriminator.stages or classifier.stages, or larger images"
        )
    return nn.avg_pool(x, (2, 2), (2, 2))
