"""Layers that several networks are made of."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute


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
