"""Whether images show a digit in a colour that no training image of that digit has."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import numpy as np

from icm_jax.chunks import in_chunks

_CHUNK = 100  # images a call
_DARK = 0.1  # images whose brightest channel is not above it show nothing
_LEAST = 10  # pixels of ink that make a shape
_SURE = 0.9  # probability from which on a digit is told
_QUANTILE = 0.99  # of a class's colours, which are within its limit
_NARROW = 0.02  # least standard deviation, where colours of a class hardly vary


class Colors(NamedTuple):
    """What colours the images of L classes have, as shares of 255.

    Attributes:
      mean: `[L, 3]`.
      deviation: standard deviation of each channel, `[L, 3]`.
      limit: `[L]`, within which most colours of the class are, see `measure_off`.
    """

    mean: np.ndarray
    deviation: np.ndarray
    limit: np.ndarray

    def measure_off(self, colors: np.ndarray) -> np.ndarray:
        """How many standard deviations colours `[N, 3]` are from each class's mean, `[N, L]`."""
        off = (colors[:, None] - self.mean) / self.deviation
        return np.sqrt(np.square(off).sum(axis=2))


class Judgement(NamedTuple):
    """What is said of N images.

    Attributes:
      digit: int `[N]`, which digit the shape is.
      color: int `[N]`, whose mean colour is nearest in the standard deviations of its class.
      shown: bool `[N]`, whether there is a shape of which the digit is certain.
      unseen: bool `[N]`, whether it is, and in a colour beyond the limit of that digit.
    """

    digit: np.ndarray
    color: np.ndarray
    shown: np.ndarray
    unseen: np.ndarray

    def mixed(self) -> float | None:
        """The share of what shows a digit that does so in an unseen colour; None of none."""
        return float(self.unseen[self.shown].mean()) if self.shown.any() else None

    def counts(self, classes: int) -> np.ndarray:
        """How many images there are of each digit in each class's colour, `[L, L]`."""
        counts = np.zeros((classes, classes), int)
        np.add.at(counts, (self.digit[self.shown], self.color[self.shown]), 1)
        return counts


def learn_colors(colors: np.ndarray, labels: np.ndarray, classes: int) -> Colors:
    """What is usual of the colours `[N, 3]` of training images of each class."""
    of_each = [colors[labels == label] for label in range(classes)]
    mean = np.stack([of.mean(axis=0) for of in of_each])
    deviation = np.maximum(np.stack([of.std(axis=0) for of in of_each]), _NARROW)
    known = Colors(mean, deviation, np.zeros(classes))
    off = [known.measure_off(of)[:, label] for label, of in enumerate(of_each)]
    # No less than 1, so that colours that hardly vary are not unseen for a rounding.
    return known._replace(limit=np.array([max(np.quantile(of, _QUANTILE), 1) for of in off]))


def judge(
    tell: Callable[[np.ndarray], np.ndarray], colors: Colors, images: np.ndarray
) -> Judgement:
    """Says what images show: the digit by its shape in black and white, the ink's mean colour.

    Ink is what is at least half as bright as the brightest channel of the image.

    Args:
      tell: probabilities `[B, L]` of the digits of shapes uint8 `[B, H, W, 1]`, 0 or 255.
      colors: of training images.
      images: float `[N, H, W, 3]` in [0, 1].
    """
    chex.assert_rank(images, 4)
    bright = images.max(axis=3, keepdims=True)
    brightest = bright.max((1, 2), keepdims=True)
    ink = bright >= np.maximum(brightest / 2, _DARK)
    shapes = ink.astype(np.uint8) * np.uint8(255)
    told = in_chunks(lambda index: tell(shapes[index]), len(images), _CHUNK)
    area = ink.sum((1, 2))  # [N, 1]
    off = colors.measure_off((images * ink).sum((1, 2)) / np.maximum(area, 1))
    digit = told.argmax(axis=1)
    shown = (area[:, 0] >= _LEAST) & (told.max(axis=1) >= _SURE)
    beyond = off[np.arange(len(images)), digit] > colors.limit[digit]
    return Judgement(digit, off.argmin(axis=1), shown, shown & beyond)
