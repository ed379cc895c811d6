"""The classifier of the published code (mnists/models/classifier.py), 67,760 parameters."""

import flax.linen as nn
import jax

from icm_jax.networks.compute import Compute
from icm_jax.networks.pooling import max_pool
from icm_jax.systems.counterfactual.networks.normalization import BatchNorm

FEATURES = "features"  # among a call's `intermediates`, where these are mutable
_AROUND = ((1, 1), (1, 1))  # PyTorch's padding of 1, where 'SAME' would put it on one side


class PublishedClassifier(nn.Module):
    """Four convolutions behind a batch norm of the pixels.

    Attributes:
      classes: number of logits.
      axis_name: device axis, or None.
      compute: number formats and convolutions.
    """

    classes: int
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Maps images `[B, 32, 32, 3]` in [-1, 1] to logits `[B, classes]`; 64 pixels do as well.

        With `train`, `batch_stats` is mutable. What comes out of the second convolution,
        `[B, 16, 16, 32]` (32 at 64 pixels), is sown as `FEATURES`.
        """
        conv = self.compute.conv
        x = BatchNorm(axis_name=self.axis_name)(images, train)
        x = max_pool(nn.relu(conv(32, 5)(x)), 3, _AROUND)
        x = nn.relu(conv(32)(x))
        self.sow("intermediates", FEATURES, x)
        x = nn.relu(conv(64, 3, 2, _AROUND)(x))
        x = nn.relu(conv(64)(x))
        x = nn.avg_pool(x, (7, 7), (7, 7)).mean((1, 2))
        return self.compute.dense(self.classes)(x)
