"""What systems ask of images and labels before any work is done."""

import numpy as np

from icm_jax.data.types import Splits


def check_grey(splits: Splits) -> None:
    """Raises ValueError if images have more than one channel."""
    if splits.train.images.shape[-1] != 1:
        shape = list(splits.train.images.shape[1:])
        raise ValueError(f"data.name: images of {shape} are not grey; they need one channel")


def check_classes(splits: Splits) -> int:
    """Refuses labels that cannot be learned.

    Returns:
      The number of classes, one more than the largest label.

    Raises:
      ValueError: there is no image to train on, a label is negative, all are alike, or one is in
        the test split alone.
    """
    trained, tested = (np.unique(split.labels) for split in splits)
    if not len(trained):
        raise ValueError("data.name: there is no train image; choose data that have some")
    if trained[0] < 0:
        raise ValueError(f"data.name: the label {trained[0]} is negative; labels count from 0")
    if len(trained) < 2:
        raise ValueError(
            f"data.name: all train images have the label {trained[0]}; choose data of 2 or more"
        )
    alone = np.setdiff1d(tested, trained)
    if len(alone):
        raise ValueError(
            f"data.name: the label {alone[0]} is in the test split alone; choose data whose test "
            f"images have labels of the train images ({_listed(trained)})"
        )
    return int(trained[-1]) + 1


def _listed(labels: np.ndarray) -> str:
    """The first labels in words."""
    shown = ", ".join(map(str, labels[:10]))
    return f"{shown} and {len(labels) - 10} more" if len(labels) > 10 else shown
