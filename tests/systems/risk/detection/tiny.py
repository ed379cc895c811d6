"""Small experiments with faces that are none: bright in the middle, among flat images."""

from typing import Any

import flax.linen as nn
import numpy as np

from icm_jax import default_config
from icm_jax.data import Dataset, Splits
from icm_jax.networks.compute import Compute
from icm_jax.systems.risk.detection import model
from icm_jax.systems.risk.detection.config import world_and_method


class Classifier(nn.Module):
    """One hidden layer and batch norm, in the place of the lab's classifier."""

    axis_name: str | None = None
    compute: Any = None

    @nn.compact
    def __call__(self, images, train=False):
        x = nn.Dense(6)(images.mean(axis=3).reshape(images.shape[0], -1))
        return nn.Dense(1)(nn.relu(nn.BatchNorm(not train, axis_name=self.axis_name)(x)))


class Decoder(nn.Module):
    """One layer, in the place of the lab's decoder."""

    size: int
    channels: int
    relu_last: bool = False
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, latents):
        shape = self.size, self.size, self.channels
        return nn.Dense(self.size**2 * self.channels)(latents).reshape(-1, *shape)


def make_small(patch):
    """Puts one hidden layer in the place of the lab's networks, which take long to compile."""
    patch.setattr(model, "LabClassifier", Classifier)
    patch.setattr(model, "LabDecoder", Decoder)


def blobs(train=60, test=40):
    """Images of 32x32 of which every second is a blob (label 1), with some noise everywhere."""
    rng = np.random.RandomState(0)

    def dataset(count):
        labels = np.arange(count, dtype=np.int32) % 2
        images = rng.randint(0, 60, (count, 32, 32, 1)).astype(np.uint8)
        images[labels == 1, 8:24, 8:24] += 150
        return Dataset(images, labels)

    return Splits(dataset(train), dataset(test))


def risk_faces(choice="conflict,density"):
    """A config of few steps and small batches."""
    c = default_config("risk_faces")
    c.update(world_and_method(choice))
    c.world.share = 0.2
    c.batch_size = 8
    c.steps = 4
    c.model.latent, c.model.neighbours, c.model.bank, c.model.passes = 3, 3, 20, 2
    c.evaluation.every = 2
    c.log.every = 1
    c.checkpoint.every = 2
    return c
