"""What every source gives: arrays of images with labels and attributes, in two splits."""

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
