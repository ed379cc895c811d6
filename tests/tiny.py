"""Small experiments for tests.

ICM: two experts, two mechanisms, 12x12 images of two classes. Stable features: four classes.
"""

import numpy as np
from PIL import Image

from icm_jax import default_config
from icm_jax.data import Dataset, Splits
from icm_jax.systems.icm.build import build_competition


def splits(train=40, test=12):
    """Class 0: a bright upper half; class 1: a bright left half; a little noise on both."""
    rng = np.random.RandomState(0)

    def dataset(count):
        labels = np.arange(count, dtype=np.int32) % 2
        images = rng.randint(0, 40, (count, 12, 12, 1)).astype(np.uint8)
        images[labels == 0, :6] += 200
        images[labels == 1, :, :6] += 200
        return Dataset(images, labels)

    return Splits(dataset(train), dataset(test))


def write(splits, root):
    """Writes splits as files that `data.source` 'folder' reads."""
    for name, split in splits._asdict().items():
        for i, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            path = root / name / str(label) / f"{i:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0]).save(path)


def icm():
    """A config whose every network is as small as it can be."""
    c = default_config("icm")
    c.batch_size = 8
    c.mechanisms = ("translate_right", "invert")
    c.experts.count = 2
    c.experts.filters = 3
    c.experts.layers = 1
    c.discriminator.stages = ((3,), (4,))
    c.discriminator.hidden = 5
    c.initialization.steps = 6
    c.initialization.threshold = 0.0
    c.competition.steps = 9
    c.competition.restart.every = 4
    c.classifier.stages = ((4,), (4,))
    c.classifier.hidden = 8
    c.classifier.batch_size = 8
    c.classifier.steps = 5
    c.evaluation.every = 4
    c.evaluation.images = 6
    c.log.every = 3
    c.checkpoint.every = 4
    return c


def build_icm(config, splits, axis_name=None):
    """The system of a config and its seed."""
    return build_competition(config, splits, [config.seed], axis_name)[0]


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
