"""The networks of the lab on faces: a convolutional classifier and the decoder beside it.

Both halve or double an image five times, so that its side is a multiple of 32: 64 in the lab.
"""

import flax.linen as nn
import jax

from icm_jax.networks.compute import Compute

# (filters / width, size of the kernel) of the classifier's convolutions; the decoder's run back.
_STAGES = ((1, 5), (2, 5), (4, 3), (6, 3), (8, 3))
_HIDDEN = 512


class LabClassifier(nn.Module):
    """Five convolutions of stride 2, each with ReLU and then batch norm, and two dense layers.

    5x5 to 12 and 24 filters, 3x3 to 48, 72 and 96, dense layers of 512 and 1, with a width of 12:
    310,169 parameters on 64x64x3.

    Attributes:
      width: filters of the first convolution, of which the others have 2, 4, 6 and 8 times as many.
      axis_name: device axis over which batch statistics are taken, or None.
      compute: number formats and convolutions.
    """

    width: int = 12
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to the logit of class 1, `[B, 1]`.

        With `train`, statistics are the batch's and `batch_stats` is mutable.
        """
        x = images
        for times, size in _STAGES:
            x = nn.relu(self.compute.conv(times * self.width, size, stride=2)(x))
            x = nn.BatchNorm(not train, momentum=0.99, epsilon=1e-3, axis_name=self.axis_name)(x)
        x = nn.relu(self.compute.dense(_HIDDEN)(x.reshape(x.shape[0], -1)))
        return self.compute.dense(1)(x)


class LabDecoder(nn.Module):
    """The way back: a dense layer and five transposed convolutions of stride 2, with ReLU.

    124,611 parameters from 32 latents to 64x64x3.

    Attributes:
      size: H and W, a multiple of 32.
      channels: C.
      width: as of `LabClassifier`.
      relu_last: whether the last layer has ReLU too, as the lab's has. Pixels at which it is 0 for
        all images learn nothing more.
      compute: number formats and convolutions.
    """

    size: int
    channels: int
    width: int = 12
    relu_last: bool = False
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, latents: jax.Array) -> jax.Array:
        """Maps latents `[B, F]` to images `[B, H, W, C]`; nothing keeps pixels in [0, 1]."""
        side, filters = self.size // 32, 8 * self.width
        x = nn.Dense(side * side * filters)(latents).reshape(-1, side, side, filters)
        back = [(times * self.width, size) for (times, _), (_, size) in _ways_back()]
        for number, (filters, size) in enumerate((*back, (self.channels, _STAGES[0][1]))):
            doubled = self.compute.conv_transposed(filters, size, name=f"ConvTranspose_{number}")
            x = doubled(nn.relu(x))
        return nn.relu(x) if self.relu_last else x


def _ways_back() -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """What a transposed convolution leads to, and what it undoes."""
    return list(zip(_STAGES[-2::-1], _STAGES[:0:-1], strict=True))
