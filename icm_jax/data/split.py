"""Choosing images: by class, into two halves that share none, and a few of many evenly."""

from collections.abc import Sequence

import numpy as np

from icm_jax.data.types import Dataset, Pool, Splits


def restrict(splits: Splits, labels: Sequence[int]) -> Splits:
    """The images of both splits whose label is among `labels`; all of them if that is empty.

    Labels keep their values and images their order.

    Raises:
      ValueError: if a label exists in neither split, or a split is left without an image.
    """
    if not labels:
        return splits
    known = sorted({int(label) for split in splits for label in np.unique(split.labels)})
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise ValueError(
            f"data.labels: {tuple(labels)} asks for {unknown}, of which there is no image; "
            f"the labels that exist are {known}"
        )
    for name, split in zip(Splits._fields, splits, strict=True):
        if not np.isin(split.labels, labels).any():
            raise ValueError(
                f"data.labels: {tuple(labels)} leaves no image in the {name} split; "
                f"the labels that exist there are {np.unique(split.labels).tolist()}"
            )
    return Splits(*(split.take(np.isin(split.labels, labels)) for split in splits))


def evenly(labels: np.ndarray, count: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Draws `count` of N images as evenly as can be over groups, and over the classes of each.

    Always the same ones, whatever the seed. The first k of them are spread evenly too.

    Args:
      labels: `[N]`, the class of each image.
      count: how many; 0 or N and more for all of them.
      groups: `[N]`, of each image's class, such as its alphabet; all are one by default.

    Returns:
      int64 `[count]`, in the order of drawing.

    Raises:
      ValueError: `count` is negative.
    """
    if count < 0:
        raise ValueError(f"images: {count} is negative; choose 0 for all there are")
    order = np.random.RandomState(0).permutation(len(labels))
    # Every class gives its first image before any gives its second; then likewise the groups.
    for values in (labels, np.zeros_like(labels) if groups is None else groups):
        order = order[np.argsort(_turns(values[order]), kind="stable")]
    return order[:count] if count else order


def _turns(values: np.ndarray) -> np.ndarray:
    """How many values before each one are equal to it: int64 `[N]`."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    turns = np.empty(len(values), np.int64)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    turns[np.argsort(inverse, kind="stable")] = np.arange(len(values)) - starts
    return turns


def halve(dataset: Dataset, seed: int, labels: Sequence[int] = ()) -> tuple[Pool, Pool]:
    """Cuts a data set into `(canonical, transformed)`: no image in both, every image in one.

    Of N images, N // 2 drawn by `seed` (0 to 2**32 - 1) become the canonical half; the others
    are to be transformed. The canonical original of a transformed image is thus never seen.

    Args:
      dataset: the images.
      seed: of the permutation.
      labels: the classes that may be drawn from the halves; all where it is empty.

    Raises:
      ValueError: if there are fewer than two images, or `seed` is out of range.
    """
    count = len(dataset.labels)
    if count < 2:
        raise ValueError(f"dataset: {count} image(s) cannot be halved; at least 2 are needed")
    # The stream of RandomState is frozen, that of NumPy's newer generators may change between
    # releases: a seed means the same halves wherever a run is resumed or repeated.
    order = np.random.RandomState(seed).permutation(count)
    wanted = np.isin(dataset.labels, labels) if labels else np.ones(count, bool)
    return _pool(order[: count // 2], wanted), _pool(order[count // 2 :], wanted)


def _pool(index: np.ndarray, wanted: np.ndarray) -> Pool:
    """The wanted images first, both parts in their order."""
    first = index[wanted[index]]
    index = np.concatenate([first, index[~wanted[index]]])
    return Pool(index.astype(np.int32), np.int32(len(first)))
