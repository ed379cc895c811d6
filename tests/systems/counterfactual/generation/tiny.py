"""A small generator of coloured digits that are none: bright squares."""

import numpy as np

from icm_jax import default_config
from icm_jax.data import Dataset, Splits
from icm_jax.systems.counterfactual.generation.config import recipe
from icm_jax.systems.counterfactual.networks import vgg


def squares(count=40):
    """Images of 28x28 of ten labels, a bright square whose place tells the label."""

    def dataset(count):
        labels = np.arange(count, dtype=np.int32) % 10
        images = np.zeros((count, 28, 28, 1), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + label : 14 + label, 9:19] = 255
        return Dataset(images, labels)

    return Splits(dataset(count), dataset(20))


def counterfactual(choice="colored"):
    """A config of few steps, narrow networks and no texture loss."""
    c = default_config("counterfactual")
    c.update(recipe(choice))
    # XLA's own: those of few channels, as here, are long programs by default on a CPU.
    c.convolution = "grouped"
    c.batch_size, c.steps = 4, 4
    c.generator.latent, c.generator.width = 3, 2
    c.discriminator.width = 4
    c.losses.perceptual = (0.0, 0.0, 0.0, 0.0)
    c.evaluation.every, c.evaluation.images = 2, 2
    c.log.every, c.checkpoint.every = 1, 2
    return c


def vgg_weights():
    """VGG16 of two blocks and few channels; of fewer, convolutions are longer programs."""
    rng, weights, channels = np.random.RandomState(0), {}, 3
    for names in vgg.BLOCKS[:2]:
        for name in names:
            kernel = rng.normal(0, 0.3, (3, 3, channels, 6)).astype(np.float32)
            weights[name] = {"kernel": kernel, "bias": np.zeros(6, np.float32)}
            channels = 6
    return weights
