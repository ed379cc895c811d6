"""ExquisiteNetV2, a small network of depthwise convolutions (shyhyawJou/ExquisiteNetV2)."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.networks.pooling import max_pool
from icm_jax.systems.stable_features.networks.features import HEAD, Outputs


class ExquisiteNetV2(nn.Module):
    """Five stages that halve the image and widen it, each followed by a DFSEB block.

    518,230 parameters at three channels and ten classes, as published; 518,594 at ten channels.
    Features are the global average of the last stage.

    Attributes:
      classes: number of logits.
      widths: channels of the stages.
      dropout: fraction of the features dropped in training.
      axis_name: device axis over which batch statistics are taken, or None.
      compute: number formats; products of 1x1 alone use them.
    """

    classes: int
    widths: tuple[int, ...] = (12, 48, 96, 192, 384)
    dropout: float = 0.5
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Outputs:
        """Maps images `[B, H, W, C]` in [0, 1].

        With `train`, statistics are the batch's, `batch_stats` is mutable and a `dropout` key is
        needed.
        """

        def norm(x):
            # PyTorch's momentum 0.1 is 0.9 here.
            return nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name)(x)

        def widen(x, width):
            return norm(self.compute.dense(width, use_bias=False)(x))

        x = images
        for stage, width in enumerate(self.widths):
            parts = [_max_pool(x)]
            if stage < 2:
                parts.append(-_max_pool(-x))
            if stage == 0:
                parts.append(_Depthwise(4, stride=2, use_bias=False)(x))
            x = widen(jnp.concatenate(parts, axis=-1), width)
            x = self._block(x, widen)
        x = nn.hard_swish(_Depthwise(3)(x))
        features = x.mean(axis=(1, 2))
        x = nn.Dropout(self.dropout, deterministic=not train)(features)
        return Outputs(self.compute.dense(self.classes, name=HEAD)(x), features)

    def _block(self, x: jax.Array, widen: Callable) -> jax.Array:
        """DFSEB: two depthwise convolutions, the first weighted by channel; both add `x`."""
        width = x.shape[-1]
        y = _Depthwise(3)(nn.silu(widen(x, width)))
        weights = nn.sigmoid(nn.LayerNorm(epsilon=1e-5)(y.mean(axis=(1, 2))))
        y = y * weights[:, None, None, :] + x
        return _Depthwise(3)(nn.hard_swish(widen(y, width))) + x


class _Depthwise(nn.Module):
    """A convolution of every channel by itself, as shifted products: XLA's own is slow on a CPU.

    Attributes:
      size: of the window.
      stride: likewise; with 1 the sides of images stay as they are, with 2 they are halved.
      use_bias: whether a bias is added.
    """

    size: int
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size, stride = self.size, self.stride
        initializer = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
        # As [h w 1 C], so that the fan-in is that of one channel.
        kernel = self.param("kernel", initializer, (size, size, 1, x.shape[-1]))
        height, width = (1 + (length + 2 - size) // stride for length in x.shape[1:3])
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        y = sum(
            padded[:, i : i + height * stride : stride, j : j + width * stride : stride]
            * kernel[i, j].astype(x.dtype)[None, None]
            for i in range(size)
            for j in range(size)
        )
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
            y = y + bias.astype(x.dtype)[None, None, None]
        return y


def _max_pool(x: jax.Array) -> jax.Array:
    """2x2, an odd last row or column by itself."""
    # 'SAME' pads with minus infinity at the end, which is PyTorch's ceil_mode.
    return max_pool(x, padding="SAME")
