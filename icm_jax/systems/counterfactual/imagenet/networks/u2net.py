"""U²-Net (Qin et al. 2020), which finds the salient object, and its small form U²-Net-p.

Layers have the names of the authors' code. Batch norm always takes the stored statistics.
"""

from typing import NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.networks.compute import Compute
from icm_jax.networks.pooling import max_pool
from icm_jax.systems.counterfactual.networks.normalization import BatchNorm


class Stage(NamedTuple):
    """A residual U-block.

    Attributes:
      depth: of the U.
      flat: whether dilation stands in for pooling (RSU-4F).
      middle: channels within.
      features: channels that it makes.
    """

    depth: int
    flat: bool
    middle: int
    features: int


_ENCODER = {
    "stage1": Stage(7, False, 32, 64),
    "stage2": Stage(6, False, 32, 128),
    "stage3": Stage(5, False, 64, 256),
    "stage4": Stage(4, False, 128, 512),
    "stage5": Stage(4, True, 256, 512),
    "stage6": Stage(4, True, 256, 512),
}
_DECODER = {
    "stage5d": Stage(4, True, 256, 512),
    "stage4d": Stage(4, False, 128, 256),
    "stage3d": Stage(5, False, 64, 128),
    "stage2d": Stage(6, False, 32, 64),
    "stage1d": Stage(7, False, 16, 64),
}
_SMALL_MIDDLE, _SMALL_FEATURES = 16, 64


def convolution_names() -> list[str]:
    """The convolutions of all blocks, `stage1.rebnconvin.conv_s1`, ..., as they are computed."""
    return [
        f"{name}.rebnconv{level}.conv_s1"
        for name, stage in (_ENCODER | _DECODER).items()
        for level in (
            "in",
            *range(1, stage.depth + 1),
            *(f"{number}d" for number in range(stage.depth - 1, 0, -1)),
        )
    ]


class U2Net(nn.Module):
    """Maps images to masks.

    Attributes:
      small: whether it is U²-Net-p, with 1.1 million parameters, and not U²-Net, with 44.
      align_corners: whether maps are enlarged corner on corner, as in the published CGN, and not
        pixel area on pixel area, as in the U²-Net authors' code and their ONNX files.
      compute: number formats and convolutions.
    """

    small: bool = False
    align_corners: bool = True
    compute: Compute = Compute()

    def __call__(self, images: jax.Array) -> jax.Array:
        """Makes masks, the fusion of all six.

        Args:
          images: float32 `[B, H, W, 3]`; the published CGN gives it [-1, 1] as they are.

        Returns:
          float32 `[B, H, W, 1]` in (0, 1). `params` and `batch_stats` are only read.
        """
        return nn.sigmoid(self.logits(images)[..., :1])

    @nn.compact
    def logits(self, images: jax.Array) -> jax.Array:
        """Makes all masks before the sigmoid, float32 `[B, H, W, 7]`: the fusion, then the six."""
        chex.assert_shape(images, (None, None, None, 3))
        x, maps = images, []
        for name, stage in _ENCODER.items():
            x = self._block(name, stage)(_pool(x) if maps else x)
            maps.append(x)
        decoded = [maps.pop()]
        for name, stage in _DECODER.items():
            x = self._resize(decoded[-1], maps[-1])
            decoded.append(self._block(name, stage)(jnp.concatenate([x, maps.pop()], axis=-1)))
        sides = [
            self._resize(self.compute.conv(1, name=f"side{number}")(x), images)
            for number, x in enumerate(reversed(decoded), 1)
        ]
        joined = jnp.concatenate(sides, axis=-1)
        fused = self.compute.conv(1, 1, name="outconv")(joined)
        return jnp.concatenate([fused, joined], axis=-1).astype(jnp.float32)

    def _block(self, name: str, stage: Stage) -> nn.Module:
        if self.small:
            stage = stage._replace(middle=_SMALL_MIDDLE, features=_SMALL_FEATURES)
        return UBlock(stage, self.align_corners, self.compute, name=name)

    def _resize(self, x: jax.Array, like: jax.Array) -> jax.Array:
        return resize(x, like.shape[1:3], self.align_corners, self.compute.product_precision)


class UBlock(nn.Module):
    """A residual U-block (RSU).

    Attributes:
      stage: see `Stage`.
      align_corners: as in `U2Net`.
      compute: number formats and convolutions.
    """

    stage: Stage
    align_corners: bool
    compute: Compute

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H, W, features]`."""
        depth, flat, middle, features = self.stage

        def convolve(name, inputs, made, dilation):
            return _NormalizedConv(made, dilation, self.compute, name=f"rebnconv{name}")(inputs)

        start = x = convolve("in", x, features, 1)
        maps = []
        for level in range(1, depth):
            x = _pool(x) if maps and not flat else x
            x = convolve(f"{level}", x, middle, 2 ** (level - 1) if flat else 1)
            maps.append(x)
        x = convolve(f"{depth}", x, middle, 2 ** (depth - 1) if flat else 2)
        for level in range(depth - 1, 0, -1):
            like = maps.pop()
            precision = self.compute.product_precision
            x = resize(x, like.shape[1:3], self.align_corners, precision)
            made = middle if maps else features
            joined = jnp.concatenate([x, like], axis=-1)
            x = convolve(f"{level}d", joined, made, 2 ** (level - 1) if flat else 1)
        return x + start


class _NormalizedConv(nn.Module):
    features: int
    dilation: int
    compute: Compute

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        dilation = (self.dilation, self.dilation)
        x = self.compute.conv(self.features, kernel_dilation=dilation, name="conv_s1")(x)
        return nn.relu(BatchNorm(name="bn_s1")(x, train=False)).astype(self.compute.dtype)


def resize(
    x: jax.Array, size: tuple[int, int], align_corners: bool, precision: jax.lax.PrecisionLike
) -> jax.Array:
    """Enlarges images by bilinear interpolation, as PyTorch: `[B, h, w, C]` to `[B, H, W, C]`.

    `jax.image.resize` cannot put corner on corner.
    """
    if x.shape[1:3] == tuple(size):
        return x
    rows, columns = (
        jnp.asarray(_interpolation(*sides, align_corners), x.dtype)
        for sides in zip(x.shape[1:3], size, strict=True)
    )
    return jnp.einsum("ph,qw,bhwc->bpqc", rows, columns, x, precision=precision)


def _interpolation(small: int, large: int, align_corners: bool) -> np.ndarray:
    """How much of each of `small` pixels each of `large` ones is: `[large, small]`."""
    if align_corners:
        places = np.arange(large) * ((small - 1) / max(large - 1, 1))
    else:
        places = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(small)[None]))


def _pool(x: jax.Array) -> jax.Array:
    """Halves the sides, rounded up."""
    return max_pool(x, padding="SAME")
