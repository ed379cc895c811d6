"""Images in one of several channels, which tells the label by a correlation that may not last.

Colored MNIST with a channel a colour (Arjovsky et al. 2019; Bao et al. 2021, 2022): an image keeps
its true label, is given a noisy one, and lies in the channel that mostly is the given label. All
of this is attributes; images stay grey bytes, and batches get their channels on the device.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax.data.batches import to_float
from icm_jax.data.checks import check_classes, check_grey
from icm_jax.data.types import Dataset, Splits
from icm_jax.systems.stable_features.assignment import TESTED, UNKNOWN, VALIDATED, load_assignment

TASKS = ("same", "transfer")


class Task(NamedTuple):
    """What to learn, and what it is measured on.

    The labels of all data sets are the true ones; their attributes are `given`, the noisy label
    (int32, `UNKNOWN` where there is none), and `channel` (int32).

    Attributes:
      train: to learn from, never by its true labels; has the attribute `environment` (int32).
      source: environments of the source task, from which something is transferred.
      target: environments of the task that is wanted; the source's where the tasks are the same.
      validation: images of which some methods of selection use the given labels.
      test: never to be used before the end.
      classes: number of labels.
      channels: number of channels.
    """

    train: Dataset
    source: tuple[int, ...]
    target: tuple[int, ...]
    validation: Dataset
    test: Dataset
    classes: int
    channels: int


def tasks(config: ConfigDict, splits: Splits, seeds: Sequence[int]) -> tuple[Task, ...]:
    """The task of a config, for every seed; the seeds share the images of `train`.

    `config.task` is one of `TASKS`:

    - 'same': one task of all classes, with as many channels. Its environments are two random
      halves of the train split. The first `config.validation` test images are for validation. With
      `config.assignment`, labels and channels are those of a file (see `load_assignment`) and the
      seed decides upon the halves alone.
    - 'transfer': a source task of the classes `config.source_labels` and a target task of the
      classes `config.target_labels`, both renamed 0, 1, ... and of as many channels. Each noise in
      `config.environments` makes one source environment of its share of the images in order; the
      target has one, of noise `config.channel_noise`, of half of its images, as many as two shares
      would have. The first half of the target's test images are for validation, with the noise of
      training; the second is to test on, with `config.test_channel_noise`.

    Args:
      config: `config.data`, with `label_noise` too: the share of labels that are replaced by
        another. A channel noise is the share of images that do not lie in the given label's.
      splits: train and test images `[N, H, W, 1]`, all classes.
      seeds: of all that is random.

    Raises:
      ValueError: images have several channels, a class has no image, or the file does not fit.
      FileNotFoundError: there is no such file.
    """
    check_grey(splits)
    return (_same if config.task == "same" else _transfer)(config, splits, seeds)


def to_channels(images: jax.Array, channel: jax.Array, channels: int) -> jax.Array:
    """Grey bytes in their channel: uint8 `[B, H, W, 1]` -> float32 `[B, H, W, C]` in [0, 1].

    Args:
      images: 0 to 255.
      channel: int32 `[B]`, where each goes; the others are 0.
      channels: how many there are, C.
    """
    return to_float(images) * jax.nn.one_hot(channel, channels, dtype=jnp.float32)[:, None, None, :]


def noisy(labels: np.ndarray, classes: int, noise: float, rng: np.random.RandomState) -> np.ndarray:
    """Replaces a share `noise` of labels int `[N]` by one of the others, all alike: int32 `[N]`."""
    other = (labels + rng.randint(1, classes, len(labels))) % classes
    return np.where(rng.uniform(size=len(labels)) < noise, other, labels).astype(np.int32)


def _same(config: ConfigDict, splits: Splits, seeds: Sequence[int]) -> tuple[Task, ...]:
    classes = check_classes(splits)
    if config.assignment:
        known = load_assignment(config.assignment, splits, classes)
        _check_parts(known)
    elif config.validation >= len(splits.test.labels):
        raise ValueError(
            f"data.validation: {config.validation} leaves no image to test on; the test split has "
            f"{len(splits.test.labels)}, so it must be less"
        )

    def of_seed(seed: int) -> Task:
        rng = np.random.RandomState(seed)
        arrays = known if config.assignment else _draw_assignment(config, splits, classes, rng)
        train = splits.train._replace(
            attributes={
                "given": arrays["train_given_label"],
                "channel": arrays["train_channel"],
                "environment": (rng.permutation(len(splits.train.labels)) % 2).astype(np.int32),
            }
        )
        rest = splits.test._replace(
            attributes={"given": arrays["val_given_label"], "channel": arrays["test_channel"]}
        )
        validation, test = (rest.take(arrays["test_split"] == s) for s in (VALIDATED, TESTED))
        return Task(train, (0, 1), (0, 1), validation, test, classes, classes)

    return tuple(of_seed(seed) for seed in seeds)


def _check_parts(known: Mapping[str, np.ndarray]) -> None:
    """Refuses an assignment that leaves nothing to validate by or to test on."""
    validated = known["test_split"] == VALIDATED
    for part, images in (("0, for validation", validated), ("1, to test on", ~validated)):
        if not images.any():
            raise ValueError(
                f"data.assignment: no image has test_split {part}; at least 1 is needed"
            )
    unlabelled = np.flatnonzero(validated & (known["val_given_label"] == UNKNOWN))
    if len(unlabelled):
        raise ValueError(
            f"data.assignment: val_given_label is -1 for image {unlabelled[0]}, whose test_split "
            "is 0; images for validation need a label"
        )


def _draw_assignment(
    config: ConfigDict, splits: Splits, classes: int, rng: np.random.RandomState
) -> dict[str, np.ndarray]:
    """As `load_assignment`, by chance; there, the images to test on have given labels too."""
    train, test = (noisy(s.labels, classes, config.label_noise, rng) for s in splits)
    return {
        "train_given_label": train,
        "train_channel": noisy(train, classes, config.channel_noise, rng),
        "val_given_label": test,
        "test_channel": noisy(test, classes, config.test_channel_noise, rng),
        "test_split": np.where(np.arange(len(test)) < config.validation, VALIDATED, TESTED),
    }


def _transfer(config: ConfigDict, splits: Splits, seeds: Sequence[int]) -> tuple[Task, ...]:
    noises = tuple(config.environments)
    count = len(noises)
    # In order, as published: first the source's environments, then the target's half.
    of_source = _named(splits.train, config.source_labels)
    of_target = _named(splits.train, config.target_labels)
    of_target = of_target.take(np.arange(len(of_target.labels) // 2))
    _check_halves(of_target, splits.test, config.target_labels)
    images = np.concatenate([of_source.images, of_target.images])
    labels = np.concatenate([of_source.labels, of_target.labels])
    environment = np.concatenate(
        [_shares(len(of_source.labels), count), np.full(len(of_target.labels), count)]
    ).astype(np.int32)
    of_test = _named(splits.test, config.target_labels)
    second = _shares(len(of_test.labels), 2)
    classes = len(config.target_labels)

    def of_seed(seed: int) -> Task:
        rng = np.random.RandomState(seed)

        def attributed(dataset: Dataset, where: np.ndarray, shares: Sequence[float]) -> Dataset:
            given = noisy(dataset.labels, classes, config.label_noise, rng)
            channel = np.zeros_like(given)
            for index, share in enumerate(shares):
                here = where == index
                channel[here] = noisy(given[here], classes, share, rng)
            return dataset._replace(attributes={"given": given, "channel": channel})

        train = attributed(Dataset(images, labels), environment, (*noises, config.channel_noise))
        train = train._replace(attributes=train.attributes | {"environment": environment})
        tested = attributed(of_test, second, (config.channel_noise, config.test_channel_noise))
        validation, test = (tested.take(second == s) for s in (0, 1))
        return Task(train, tuple(range(count)), (count,), validation, test, classes, classes)

    return tuple(of_seed(seed) for seed in seeds)


def _check_halves(of_target: Dataset, test: Dataset, target_labels: Sequence[int]) -> None:
    """Refuses a target task that lacks a label to learn, or images to test on."""
    missing = np.setdiff1d(np.arange(len(target_labels)), of_target.labels)
    if len(missing):
        raise ValueError(
            f"data.target_labels: {target_labels[missing[0]]} has no image in the first half of "
            "the target's train images, which alone is learned from; choose data in mixed order"
        )
    images = int(np.isin(test.labels, target_labels).sum())
    if images < 2:
        raise ValueError(
            f"data.target_labels: the test split has {images} image of them; at least 2 are "
            "needed, one for validation and one to test on"
        )


def _named(dataset: Dataset, labels: Sequence[int]) -> Dataset:
    """The images of some classes, which are renamed 0, 1, ... in the order of `labels`."""
    for label in labels:
        if not (dataset.labels == label).any():
            raise ValueError(f"data.source_labels, data.target_labels: {label} has no image")
    dataset = dataset.take(np.isin(dataset.labels, labels))
    names = np.zeros(max(labels) + 1, np.int32)
    names[list(labels)] = np.arange(len(labels))
    return dataset._replace(labels=names[dataset.labels])


def _shares(count: int, parts: int) -> np.ndarray:
    """0 for the first of `parts` shares of `count` images in order, 1 for the second, ...: `[N]`"""
    return np.arange(count) * parts // max(count, 1)
