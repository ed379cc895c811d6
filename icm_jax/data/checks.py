"""What systems ask of images and labels before any work is done."""

from typing import Any

import numpy as np

from icm_jax.data.types import Splits

_MOST_LABELS = 99_999  # more are no classes: what learns them has a number for each


def check_splits(splits: Splits) -> None:
    """Refuses arrays that are not those of a data set, see `icm_jax.data.Dataset`.

    Raises:
      ValueError: naming the array, what it is and what is allowed.
    """
    for name, (images, labels, attributes) in zip(splits._fields, splits, strict=True):
        _check_array(f"data.{name}.images", images, np.uint8, "uint8 [N, H, W, C]")
        _check_array(f"data.{name}.labels", labels, np.integer, "integers [N]")
        least, most = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
        if least < 0 or most > _MOST_LABELS:
            raise ValueError(
                f"data.{name}.labels: {least if least < 0 else most} is not allowed; classes are "
                f"counted from 0, to {_MOST_LABELS} at most"
            )
        for field, values in {"labels": labels, **attributes}.items():
            if len(values) != len(images):
                raise ValueError(
                    f"data.{name}: {len(values)} {field} for {len(images)} images are not allowed; "
                    "there must be one for each"
                )
    shapes = [list(split.images.shape[1:]) for split in splits]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"data.test.images: images of {shapes[1]} are not allowed; they must be of "
            f"{shapes[0]}, as those of data.train are"
        )


def _check_array(name: str, array: Any, kind: type, allowed: str) -> None:
    """Refuses what is no array of a kind and with as many axes as `allowed` names."""
    dtype, shape = getattr(array, "dtype", None), list(np.shape(array))
    if dtype is None or not np.issubdtype(dtype, kind) or len(shape) != allowed.count(",") + 1:
        said = type(array).__name__ if dtype is None else f"{dtype} {shape}"
        raise ValueError(f"{name}: {said} is not allowed; it must be {allowed}")


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
