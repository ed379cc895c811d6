"""Grey images of digits for the tests of biased data sets."""

import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Dataset, Splits
from icm_jax.schema import Schema, with_shared
from icm_jax.systems.counterfactual import biased

SCHEMA = Schema(with_shared("counterfactual", {"data": biased.DATA_FIELDS}))


def settings(**changes) -> ConfigDict:
    """`config.data` with changes."""
    data = SCHEMA.defaults().data
    data.update(changes)
    return data


def blank(count: int, classes: int = 10, size: int = 28) -> Dataset:
    """Black images, of classes in turn."""
    labels = np.arange(count, dtype=np.int32) % classes
    return Dataset(np.zeros((count, size, size, 1), np.uint8), labels)


def with_pixel(dataset: Dataset, row: int, column: int, grey: int) -> Dataset:
    """The same with one pixel set in each image."""
    images = dataset.images.copy()
    images[:, row, column] = grey
    return dataset._replace(images=images)


def splits(train: int = 24, test: int = 12, classes: int = 10) -> Splits:
    """Black images."""
    return Splits(blank(train, classes), blank(test, classes))
