"""ResNet-50 (He et al. 2016) without its head, with torchvision's strides and names of layers."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.networks.pooling import max_pool
from icm_jax.systems.counterfactual.networks.normalization import BatchNorm

_EXPANSION = 4  # channels that a block makes for each of its bottleneck


class ResNet50(nn.Module):
    """Maps images to features. Batch norm always takes the stored statistics.

    Attributes:
      width: channels of the first bottleneck, 64 as published; features are 32 times as many.
      blocks: of each of the four stages.
      compute: number formats and convolutions.
    """

    width: int = 64
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Makes features.

        Args:
          images: float32 `[B, H, W, 3]`, normalised; published at 224 pixels a side.

        Returns:
          float32 `[B, 32 * width]`; `[B, 2048]` as published. `batch_stats` is only read.
        """
        chex.assert_shape(images, (None, None, None, 3))
        conv = self.compute.conv(self.width, 7, 2, ((3, 3), (3, 3)), use_bias=False, name="conv1")
        x = nn.relu(BatchNorm(name="bn1")(conv(images), train=False)).astype(self.compute.dtype)
        x = max_pool(x, 3, ((1, 1), (1, 1)))
        for stage, count in enumerate(self.blocks):
            for number in range(count):
                stride = 2 if stage and not number else 1
                name = f"layer{stage + 1}_{number}"
                x = Bottleneck(self.width * 2**stage, stride, self.compute, name=name)(x)
        return x.astype(jnp.float32).mean((1, 2))


class Bottleneck(nn.Module):
    """A residual block, whose 3x3 convolution has the stride.

    Attributes:
      width: channels within.
      stride: 1 or 2.
      compute: number formats and convolutions.
    """

    width: int
    stride: int
    compute: Compute

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H / stride, W / stride, 4 * width]`, sides rounded up."""
        made = _EXPANSION * self.width

        def convolve(inputs, features, size=1, stride=1, names=("", "")):
            around = ((size // 2, size // 2),) * 2
            conv = self.compute.conv(features, size, stride, around, use_bias=False, name=names[0])
            normalized = BatchNorm(name=names[1])(conv(inputs), train=False)
            return normalized.astype(self.compute.dtype)

        y = nn.relu(convolve(x, self.width, names=("conv1", "bn1")))
        y = nn.relu(convolve(y, self.width, 3, self.stride, ("conv2", "bn2")))
        y = convolve(y, made, names=("conv3", "bn3"))
        if self.stride != 1 or x.shape[-1] != made:
            x = convolve(x, made, 1, self.stride, ("downsample_0", "downsample_1"))
        return nn.relu(y + x)
