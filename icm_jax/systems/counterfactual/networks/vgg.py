"""Features of VGG16 (Simonyan & Zisserman 2015), whose weights are data and never learn."""

from collections.abc import Mapping

import chex
import flax.linen as nn
import jax

from icm_jax.networks.compute import Compute
from icm_jax.networks.pooling import max_pool

# Convolutions of each block; features are taken after the last, before the block's pooling.
BLOCKS = (
    ("conv1_1", "conv1_2"),
    ("conv2_1", "conv2_2"),
    ("conv3_1", "conv3_2", "conv3_3"),
    ("conv4_1", "conv4_2", "conv4_3"),
)
Weights = Mapping[str, Mapping[str, jax.Array]]


def blocks_needed(weights: tuple[float, ...]) -> int:
    """How many blocks are run: up to the last whose features count."""
    return max((number for number, weight in enumerate(weights, 1) if weight), default=0)


def features(weights: Weights, images: jax.Array, blocks: int) -> list[jax.Array]:
    """Features relu1_2, relu2_2, relu3_3, relu4_3 of images, those of the first blocks.

    Args:
      weights: name of a convolution -> `kernel` `[3, 3, C, F]`, `bias` `[F]`.
      images: float32 `[B, H, W, 3]`. The published CGN gives it [-1, 1] as they are.
      blocks: how many.

    Returns:
      `[B, H / 2^i, W / 2^i, F]` for each block i from 0.
    """
    chex.assert_rank(images, 4)
    found, x = [], images
    for number, names in enumerate(BLOCKS[:blocks]):
        if number:
            x = max_pool(x)
        for name in names:
            x = nn.relu(_convolve(x, weights[name]))
        found.append(x)
    return found


def _convolve(x: jax.Array, layer: Mapping[str, jax.Array]) -> jax.Array:
    conv = Compute().conv(layer["bias"].shape[0])
    return conv.apply({"params": layer}, x)
