"""Small generators and ensembles: their networks are stand-ins of a layer or two."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import default_config
from icm_jax.data import Dataset, Splits
from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.imagenet import mechanisms
from icm_jax.systems.counterfactual.imagenet.ensemble import config as ensembles
from icm_jax.systems.counterfactual.imagenet.ensemble import network
from icm_jax.systems.counterfactual.imagenet.generation.config import recipe
from icm_jax.systems.counterfactual.networks import vgg


class Maker(nn.Module):
    """In place of BigGAN: what is stored changes with the truncation and is not trained."""

    resolution: int
    width: int
    latent: int
    classes: int
    compute: Compute

    @nn.compact
    def __call__(self, u, y, truncation):
        stored = self.variable("batch_stats", "var", jnp.ones, (2,)).value
        of = stored[jnp.asarray(truncation > 0, jnp.int32)]
        x = nn.Dense(12, name="first")(jnp.concatenate([u, y], axis=1)) - of * truncation / 4
        x = x.reshape(-1, 2, 2, 3).repeat(self.resolution // 2, 1).repeat(self.resolution // 2, 2)
        return jnp.tanh(nn.Conv(3, (3, 3), name="second")(x))


class Masker(nn.Module):
    """In place of U²-Net: a sum of colours."""

    small: bool = False
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images):
        return nn.sigmoid(nn.Dense(1, name="only")(images))


class Backbone(nn.Module):
    """In place of ResNet-50, with statistics that are not of the batch."""

    width: int
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(self.width, (8, 8), (8, 8), name="conv")(images)
        x = nn.BatchNorm(use_running_average=True, name="bn")(x)
        return nn.relu(x).mean((1, 2))


def put_in_place(monkeypatch):
    """Puts the stand-ins in place of the networks."""
    monkeypatch.setattr(mechanisms, "BigGAN", Maker)
    monkeypatch.setattr(mechanisms, "U2Net", Masker)
    monkeypatch.setattr(network, "ResNet50", Backbone)


def generator():
    """A config of few steps, without VGG16."""
    c = default_config("counterfactual_imagenet")
    c.update(recipe("tiny"))
    c.batch_size, c.steps = 2, 4
    c.model.latent, c.model.width = 3, 4
    c.losses.perceptual = c.losses.texture = (0.0, 0.0, 0.0, 0.0)
    c.optimizer.accumulate = 2
    c.evaluation.every, c.evaluation.images, c.evaluation.classes = 2, 3, (0, 3)
    c.log.every, c.checkpoint.every = 1, 2
    return c


def ensemble(generator_at=""):
    """A config of few steps, of a small generator where none is given."""
    c = default_config("invariant_ensemble")
    c.update(ensembles.recipe("tiny"))
    small = generator()
    c.recipe.update({name: small[name] for name in c.recipe})
    c.generator = str(generator_at)
    c.data.size, c.data.crop = 16, 8
    c.batch_size, c.steps = 2, 4
    c.evaluation.every, c.evaluation.images, c.evaluation.counterfactuals = 2, 10, 6
    c.log.every, c.checkpoint.every = 1, 2
    return c


def images(count=20):
    """Grey images of 16 pixels of ten labels, the brightness of which tells the label."""
    labels = np.arange(count, dtype=np.int32) % 10
    pixels = np.broadcast_to(labels[:, None, None, None] * 25, (count, 16, 16, 1))
    dataset = Dataset(pixels.astype(np.uint8), labels)
    return Splits(dataset, dataset.take(np.arange(10)))


def vgg_weights():
    """VGG16 of three blocks and few channels."""
    rng, weights, channels = np.random.RandomState(0), {}, 3
    for names in vgg.BLOCKS[:3]:
        for name in names:
            kernel = rng.normal(0, 0.3, (3, 3, channels, 6)).astype(np.float32)
            weights[name] = {"kernel": kernel, "bias": np.zeros(6, np.float32)}
            channels = 6
    return weights


def first_of(system):
    return jax.jit(system.init)(jax.random.key(0))
