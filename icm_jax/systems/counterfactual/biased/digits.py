"""What sets of digits have in common: which images, whose colours, and where the ink is."""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import streams
from icm_jax.data import Dataset, Splits
from icm_jax.data.checks import check_classes, check_grey
from icm_jax.streams import HostStream
from icm_jax.systems.counterfactual.biased.resizing import Nearest, resize

SIZE = 32  # pixels a side of all sets of digits
TENTH = 25.5  # of 255: brightness above it is ink in two of the sets
_MOST = 10  # classes: of so many there are colours and textures
_TESTED = 6  # one of so many images is tested on where a set divides the train split


def divide_train(splits: Splits) -> Splits:
    """The train split alone, of which the first five sixths are trained on, as published.

    These are 50,000 and 10,000 of MNIST's 60,000; of other data it is the same share. Where the
    images are sorted by class, as those of a folder are, every sixth is tested on instead.
    """
    train = splits.train
    number = np.arange(len(train.labels))
    if len(number) and (np.diff(train.labels) >= 0).all():
        tested = number % _TESTED == _TESTED - 1
    else:
        tested = number >= len(number) * (_TESTED - 1) // _TESTED
    return Splits(train.take(~tested), train.take(tested))


def count_classes(splits: Splits) -> int:
    """How many classes there are.

    Raises:
      ValueError: images are not grey, there are labels that cannot be learned or coloured, or
        there is nothing to test on.
    """
    check_grey(splits)
    classes = check_classes(splits)
    if not len(splits.test.labels):
        raise ValueError("data.name: there is no test image; choose data that have some")
    if classes > _MOST:
        raise ValueError(
            f"data.name: {classes} classes are not allowed; there are colours and textures of "
            f"{_MOST}"
        )
    return classes


def generators(seed: int) -> tuple[np.random.RandomState, np.random.RandomState]:
    """NumPy's generators of colours and textures: of images to train on, and to test on."""
    train, test = HostStream.TRAIN_COLORS, HostStream.TEST_COLORS
    return streams.on_host(seed, train), streams.on_host(seed, test)


def draw_classes(count: int, classes: int, rng: np.random.RandomState) -> np.ndarray:
    """Classes that have nothing to do with what an image shows, all as likely: int32 `[count]`."""
    return rng.randint(classes, size=count).astype(np.int32)


def environments_of(count: int, environments: int) -> np.ndarray:
    """The environment of each image to train on: in turn, int32 `[count]`."""
    return np.arange(count, dtype=np.int32) % environments


def draw_biased(
    labels: np.ndarray, classes: int, unbiased: Sequence[float], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whose foreground and whose background images to train on have.

    Their own class's, but for a share of each environment, of which both are drawn as in the test.

    Args:
      labels: int32 `[N]`.
      classes: how many there are.
      unbiased: that share of each environment.
      seed: of which images these are, and of what they have.

    Returns:
      Classes int32 `[N]` of the foreground, and of the background.
    """
    rng, count = streams.on_host(seed, HostStream.UNBIASED), len(labels)
    chance = np.asarray(unbiased)[environments_of(count, len(unbiased))]
    free = rng.uniform(size=count) < chance
    foreground, background = (
        np.where(free, draw_classes(count, classes, rng), labels) for _ in range(2)
    )
    return foreground, background


def pack_ink(dataset: Dataset, above: float, nearest: Nearest) -> np.ndarray:
    """Where images `[N, H, W, 1]` are brighter than `above`: bits, uint8 `[N, 32, 4]`."""
    ink = resize(dataset.images[..., 0] > above, SIZE, nearest)
    return np.packbits(ink, axis=-1)


def unpack_ink(packed: jax.Array) -> jax.Array:
    """Masks float32 `[B, 32, 32, 1]`, 0 or 1, of bits uint8 `[B, 32, 4]`."""
    chex.assert_shape(packed, (None, SIZE, SIZE // 8))
    return jnp.unpackbits(packed, axis=-1).astype(jnp.float32)[..., None]
