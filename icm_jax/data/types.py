"""What every source gives: images with labels and attributes, in two splits; parts of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Images in host memory with what is known about each.

    Attributes:
      images: uint8 `[N, H, W, C]`, 0 to 255.
      labels: int32 `[N]`, the class of each image.
      attributes: name -> array `[N]`, whatever else the source tells of each image.
    """

    images: np.ndarray
    labels: np.ndarray
    attributes: Mapping[str, np.ndarray] = MappingProxyType({})

    def take(self, indices: np.ndarray) -> "Dataset":
        """The images at `indices` (integers `[M]`, or booleans `[N]`), with all that is known."""
        return Dataset(
            self.images[indices],
            self.labels[indices],
            {name: values[indices] for name, values in self.attributes.items()},
        )


class Splits(NamedTuple):
    """A data set as published: what may be trained on, and what never is."""

    train: Dataset
    test: Dataset


class Pool(NamedTuple):
    """Images of a data set that batches are drawn from: the first `count` of `index`.

    Seeds and labels change the numbers in it and not its shape: a step compiled for one serves all.

    Attributes:
      index: int32 `[N]`, of images of the data set.
      count: int32 `[]`, at least 1 where something is to be drawn.
    """

    index: np.ndarray
    count: np.ndarray
