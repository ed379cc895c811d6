"""Choosing images: to test on, by class or group, in halves that share none, evenly a few."""

import hashlib
from collections.abc import Sequence

import numpy as np

from icm_jax.data.groups import Groups, group
from icm_jax.data.types import Dataset, Pool, Splits

TEST_FRACTION = 0.1


def held_out(names: Sequence[str], fraction: float = TEST_FRACTION) -> np.ndarray:
    """Which images to test on: bool `[N]`, always the same ones, whatever the seed.

    Of the distinct names, the `fraction` with the lowest MD5 (at least one) is held out.

    Args:
      names: of each image, or of what its images must not be torn apart by: a person.
      fraction: above 0 and at most 1.
    """
    digests = {
        name: hashlib.md5(name.encode(errors="surrogateescape"), usedforsecurity=False).digest()
        for name in names
    }
    count = max(1, round(fraction * len(digests)))
    threshold = sorted(digests.values())[count - 1]
    return np.array([digests[name] <= threshold for name in names])


def set_apart(dataset: Dataset, is_test: np.ndarray) -> Splits:
    """The images that are not to test on, and those that are, both in mixed order.

    Files lie sorted by class, person or age; so whoever takes the first images gets some of all.
    The order is always the same, whatever the seed.

    Args:
      dataset: N images.
      is_test: bool `[N]`.
    """
    order = np.random.RandomState(0).permutation(len(is_test))
    return Splits(*(dataset.take(order[is_test[order] == tested]) for tested in (False, True)))


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


def divide(
    dataset: Dataset,
    seed: int,
    attribute: str,
    canonical: str,
    transformed: Sequence[str],
    labels: Sequence[int] = (),
) -> tuple[Pool, Groups]:
    """Groups images by the values of an attribute, which are compared as text.

    Args:
      dataset: the images.
      seed: of the order in the canonical pool (0 to 2**32 - 1); it changes nothing else.
      attribute: by which the images are told apart.
      canonical: its value for canonical images.
      transformed: G values, each of one group of transformed images.
      labels: the classes that may be drawn; all where it is empty.

    Returns:
      `(canonical, transformed)`.

    Raises:
      ValueError: if there is no such attribute, no image with one of the values, or `seed` is out
        of range.
    """
    values = values_of(dataset, attribute, [canonical, *transformed], "train")
    order = np.random.RandomState(seed).permutation(len(values))
    drawable = np.isin(dataset.labels, labels) if labels else np.ones(len(values), bool)
    known = _pool(order, drawable & (values == canonical))
    number = np.full(len(values), -1)
    for i, value in enumerate(transformed):
        number[drawable & (values == value)] = i
    count = [known.count, *np.bincount(number[number >= 0], minlength=len(transformed))]
    for value, images in zip((canonical, *transformed), count, strict=True):
        if not images:
            raise ValueError(
                f"data.labels: {tuple(labels)} leaves no image of {attribute}={value} in the "
                "train split"
            )
    return known, group(number, len(transformed))


def values_of(dataset: Dataset, attribute: str, wanted: Sequence[str], split: str) -> np.ndarray:
    """The values of an attribute as text `[N]`.

    Args:
      dataset: the images.
      attribute: which one.
      wanted: values that must be among them.
      split: what the data set is called in an error.

    Raises:
      ValueError: if there is no such attribute, or no image with one of those values.
    """
    if attribute not in dataset.attributes:
        known = ", ".join(sorted(dataset.attributes)) or "none"
        raise ValueError(
            f"data.groups.attribute: {attribute!r} is unknown; the attributes of these data are "
            f"{known}"
        )
    values = np.asarray(dataset.attributes[attribute]).astype(str)
    there = np.unique(values).tolist()
    for value in wanted:
        if value not in there:
            shown = ", ".join(there[:20]) + (f" and {len(there) - 20} more" * (len(there) > 20))
            raise ValueError(
                f"data.groups: {value!r} is no value of {attribute!r} in the {split} split; there "
                f"are {shown}"
            )
    return values


def _pool(index: np.ndarray, wanted: np.ndarray) -> Pool:
    """The wanted images first, both parts in their order."""
    first = index[wanted[index]]
    index = np.concatenate([first, index[~wanted[index]]])
    return Pool(index.astype(np.int32), np.int32(len(first)))
