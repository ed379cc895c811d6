"""Small data for the tests of any system."""

import numpy as np
from PIL import Image

from icm_jax.data import Dataset, Splits


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
