"""Classifiers: images to class logits."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.activations import elu
from icm_jax.networks.compute import Compute
from icm_jax.networks.layers import halved, one_logit


class ConvClassifier(nn.Module):
    """Stages of 3x3 convolutions with batch norm and average pooling, then a dense layer.

    Attributes:
      classes: number of logits.
      stages: for each stage the filters of its convolutions; each stage ends in 2x2 pooling.
      hidden: width of the dense layer before the logits.
      dropout: fraction of its outputs dropped in training.
      activation: after each batch norm and the dense layer.
      axis_name: device axis over which batch statistics are taken, or None.
      compute: number formats and convolutions.
    """

    classes: int
    stages: Sequence[Sequence[int]] = ((16,), (32, 32), (64, 64))
    hidden: int = 128
    dropout: float = 0.3
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to logits `[B, classes]`.

        With `train`, statistics are the batch's, `batch_stats` is mutable and a `dropout` key is
        needed.
        """
        x = images
        for stage in self.stages:
            for filters in stage:
                x = self.compute.conv(filters)(x)
                x = nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name)(x)
                x = self.activation(x)
            x = halved(x)  # its gradient is cheaper than that of a maximum
        x = x.reshape(x.shape[0], -1)
        x = self.activation(self.compute.dense(self.hidden)(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return self.compute.dense(self.classes)(x)


class FacesClassifier(nn.Module):
    """The reproduction's classifier of faces: canonical (class 1) or transformed (class 0).

    3x3 convolutions 16, 16, 32; 32, 32; 64, 64, each group followed by 2x2 average pooling, then
    dense layers of 576 and 25 and one logit; ELU, no batch norm. 428,131 parameters on 28x28x3.

    Attributes:
      stages: as in `ConvClassifier`.
      hidden: widths of the dense layers before the logit.
      compute: number formats and convolutions.
    """

    stages: Sequence[Sequence[int]] = ((16, 16, 32), (32, 32), (64, 64))
    hidden: Sequence[int] = (576, 25)
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to logits `[B, 2]`: 0, and that of class 1.

        A softmax over them is the sigmoid of the one logit, its cross-entropy the binary one.
        """
        logit = one_logit(images, self.stages, self.hidden, elu, self.compute)
        return jnp.stack([jnp.zeros_like(logit), logit], axis=1)
