"""Small experiments with stable features: four classes, of which two are the target."""

import numpy as np

from icm_jax import default_config
from icm_jax.data import Dataset, Splits


def quarters(train=160, test=64):
    """Four classes of 10x10 images: one quarter is bright; a little noise everywhere."""
    rng = np.random.RandomState(0)

    def dataset(count):
        labels = np.arange(count, dtype=np.int32) % 4
        images = rng.randint(0, 40, (count, 10, 10, 1)).astype(np.uint8)
        for index, label in enumerate(labels):
            top, left = 5 * (label // 2), 5 * (label % 2)
            images[index, top : top + 5, left : left + 5] += 200
        return Dataset(images, labels)

    return Splits(dataset(train), dataset(test))


def stable_features(method="balanced"):
    """A config of few steps and small batches."""
    c = default_config("stable_features")
    c.method, c.network = method, "mlp"
    c.batch_size = 16
    c.steps = 4
    c.data.validation = 16
    c.data.source_labels, c.data.target_labels = (0, 2), (1, 3)
    c.selection.least = 3
    c.tofu.environments.steps = c.tofu.robust.steps = c.tofu.embedding.steps = 3
    c.tofu.embedding.batch_size = c.tofu.batch_size = 3
    c.evaluation.every = 2
    c.evaluation.images = 10
    c.log.every = 1
    c.checkpoint.every = 2
    return c
