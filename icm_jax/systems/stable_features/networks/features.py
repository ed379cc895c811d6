"""Classifiers that also give the features their logits are made of.

Features serve as an embedding: distances between them can be trained, and images be clustered.
"""

from typing import NamedTuple

import flax.linen as nn
import jax

from icm_jax.networks.compute import Compute
from icm_jax.networks.pooling import max_pool

HEAD = "head"  # the layer that makes logits of features, among a network's parameters


class Outputs(NamedTuple):
    """What a classifier makes of images.

    Attributes:
      logits: `[B, classes]`.
      features: `[B, F]`, what the last dense layer sees, before dropout.
    """

    logits: jax.Array
    features: jax.Array


class CNN(nn.Module):
    """Two convolutions, one pooling, a dense layer (TOFU's network for MNIST, Bao et al. 2022).

    2,789,518 parameters at ten channels of 28 x 28 and ten classes.

    Attributes:
      classes: number of logits.
      filters: of the two convolutions of 3x3 without padding.
      hidden: number of features.
      dropout: fractions dropped of the pooled channels and of the features.
      axis_name: device axis; without batch norm there is nothing to reduce over it.
      compute: number formats and convolutions.
    """

    classes: int
    filters: tuple[int, int] = (32, 64)
    hidden: int = 300
    dropout: tuple[float, float] = (0.25, 0.3)
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Outputs:
        """Maps images `[B, H, W, C]` in [0, 1]; with `train` a `dropout` key is needed."""
        x = images
        for filters in self.filters:
            x = nn.relu(self.compute.conv(filters, padding="VALID")(x))
        x = max_pool(x)
        # Whole channels are dropped.
        x = nn.Dropout(self.dropout[0], broadcast_dims=(1, 2), deterministic=not train)(x)
        features = nn.relu(self.compute.dense(self.hidden)(x.reshape(x.shape[0], -1)))
        x = nn.Dropout(self.dropout[1], deterministic=not train)(features)
        return Outputs(self.compute.dense(self.classes, name=HEAD)(x), features)


class VGG(nn.Module):
    """Stages of 3x3 convolutions, each ending in 2x2 pooling, and two dense layers.

    5,159,690 parameters at ten channels of 28 x 28 and ten classes.

    Attributes:
      classes: number of logits.
      stages: filters of the convolutions of each stage.
      hidden: width of both dense layers; the second gives the features.
      dropout: fraction of each dense layer's outputs dropped in training.
      axis_name: device axis; without batch norm there is nothing to reduce over it.
      compute: number formats and convolutions.
    """

    classes: int
    stages: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256, 256, 256))
    hidden: int = 1024
    dropout: float = 0.5
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Outputs:
        """Maps images `[B, H, W, C]` in [0, 1]; with `train` a `dropout` key is needed."""
        x = images
        for stage in self.stages:
            for filters in stage:
                x = nn.relu(self.compute.conv(filters)(x))
            x = max_pool(x)
        x = x.reshape(x.shape[0], -1)
        for _ in range(2):
            features = nn.relu(self.compute.dense(self.hidden)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(features)
        return Outputs(self.compute.dense(self.classes, name=HEAD)(x), features)


class MLP(nn.Module):
    """A dense layer and the logits: a first look, and tests.

    Attributes:
      classes: number of logits.
      hidden: number of features.
      dropout: fraction of the features dropped in training.
      axis_name: device axis; without batch norm there is nothing to reduce over it.
      compute: number formats.
    """

    classes: int
    hidden: int = 300
    dropout: float = 0.3
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Outputs:
        """Maps images `[B, H, W, C]` in [0, 1]; with `train` a `dropout` key is needed."""
        features = nn.relu(self.compute.dense(self.hidden)(images.reshape(len(images), -1)))
        x = nn.Dropout(self.dropout, deterministic=not train)(features)
        return Outputs(self.compute.dense(self.classes, name=HEAD)(x), features)
