"""An ensemble of three heads on one backbone: each is to look at the shape, texture or background.

Sauer and Geiger 2021, section 4.2 and the published code (imagenet/models/classifier_ensemble.py).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.imagenet.networks.resnet import ResNet50
from icm_jax.systems.counterfactual.networks.mechanisms import Each

# Means and standard deviations of the colours, in [0, 1], of ImageNet and of ImageNet-9.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IN9 = (0.4717, 0.4499, 0.3837), (0.2600, 0.2516, 0.2575)


class InvariantEnsemble(nn.Module):
    """Logits of three linear heads, float32 `[B, L]` each.

    The backbone's batch norms are applied as in evaluation always.

    Attributes:
      classes: L.
      width: channels of the backbone's first layer.
      compute: number formats and convolutions.
    """

    classes: int
    width: int = 64
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array) -> Each:
        """Applies it to images `[B, S, S, 3]`, see `normalize`."""
        features = ResNet50(self.width, compute=self.compute, name="backbone")(images)
        heads = (self.compute.dense(self.classes, name=name)(features) for name in Each._fields)
        return Each(*(logits.astype(jnp.float32) for logits in heads))


def normalize(images: jax.Array, colors: tuple = IMAGENET) -> jax.Array:
    """Images `[B, S, S, 3]` in [-1, 1] with the mean and deviation that a backbone is used to."""
    mean, deviation = (jnp.array(of, jnp.float32).reshape(1, 1, 1, 3) for of in colors)
    return ((images + 1) / 2 - mean) / deviation


def mean_logits(logits: Each) -> jax.Array:
    """What the ensemble says, `[B, L]`: the mean of all heads."""
    return sum(logits) / len(logits)


def without_background(logits: Each) -> jax.Array:
    """What shape and texture say, `[B, L]`: the mean of their heads."""
    return (logits.shape + logits.foreground) / 2
