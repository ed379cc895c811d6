"""Worlds with known truth: what is done to faces and non-faces, so that a risk can be checked.

| world | what is planted | what is known |
|---|---|---|
| `plain` | nothing | nothing |
| `density` | six groups of faces, each by an isometry of pixel space | the density of each |
| `conflict` | one mechanism, rare among faces and frequent among non-faces | who is misjudged |
| `noise` | labels flipped at a rate that depends on the group | the rates |

Isometries, of `density` and `noise`, are those of `groups`; so is `invert`, the default of
`conflict`. Most other mechanisms are none.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from icm_jax import mechanisms
from icm_jax.data.types import Dataset, Splits
from icm_jax.mechanisms import Spec
from icm_jax.systems.risk.groups import draw_groups, isometries, luminance, transform

SHARES = (0.60, 0.20, 0.10, 0.06, 0.03, 0.01)
RATES = (0.0, 0.1, 0.2, 0.3)


class World(NamedTuple):
    """A data set to which something known was done.

    Attributes:
      splits: images, and labels as a network sees them. Attributes are those that there were, and
        `group`, int32 `[N]`, which of the G groups an image was put into, be it a face or not,
        `true`, int32 `[N]`, its label before any was flipped, and of images in colour `luminance`,
        float32 `[N]`, as it was before anything was done to them.
      names: of the groups.
      shares: `[G]`, of the faces in training that were put into each.
      rates: `[G]`, of labels flipped in each.
    """

    splits: Splits
    names: tuple[str, ...]
    shares: tuple[float, ...]
    rates: tuple[float, ...]


def plain(splits: Splits, seed: int) -> World:
    """Does nothing; one group, `plain`. The labels are the true ones."""
    del seed
    groups = [np.zeros(len(split.labels), np.int32) for split in splits]
    return _build_world(splits, groups, ("plain",), (1.0,), seed=0)


def density(
    splits: Splits,
    seed: int,
    shares: Sequence[float] = SHARES,
    non_face_share: float = 0.0,
    even_test: bool = True,
) -> World:
    """Plants a group of faces by each isometry.

    Args:
      splits: faces (label 1) and non-faces (0), square.
      seed: of which group gets which share, and of the images put into each; 0 to 2**32 - 1.
      shares: of the faces, one a group in any order; they add up to 1.
      non_face_share: of the non-faces that are inverted.
      even_test: the faces of the test split are put into all groups equally often, so that what
        is measured of each is measured on as many; else by `shares`.

    Raises:
      ValueError: shares are not allowed, or images are not square.
    """
    names = isometries(splits.train.images.shape[-1])
    _check_shares("shares", shares, len(names))
    random = np.random.RandomState(seed)
    permuted = tuple(float(share) for share in random.permutation(shares))
    non_faces = np.zeros(len(names))
    non_faces[names.index("invert")] = _check_share("non_face_share", non_face_share)
    non_faces[names.index("plain")] = 1 - non_face_share
    test = np.full(len(names), 1 / len(names)) if even_test else permuted
    groups = [
        draw_groups(split.labels, faces, non_faces, random)
        for split, faces in zip(splits, (permuted, test), strict=True)
    ]
    return _build_world(splits, groups, names, permuted, seed)


def conflict(
    splits: Splits,
    seed: int,
    mechanism: Spec = "invert",
    share: float = 0.02,
    non_face_share: float = 0.5,
    even_test: bool = True,
) -> World:
    """Applies one mechanism to a few faces and to many non-faces.

    Args:
      splits: faces (label 1) and non-faces (0).
      seed: of the images it is applied to, and of a mechanism that draws; 0 to 2**32 - 1.
      mechanism: any of `icm_jax.mechanisms`, or a name in `ISOMETRIES`.
      share: of the faces.
      non_face_share: of the non-faces, in both splits.
      even_test: to half of the faces of the test split; else to `share` of them.

    Raises:
      ValueError: there is no such mechanism, or it cannot be applied; a share is not allowed.
    """
    shares = (1 - _check_share("share", share), share)
    non_faces = (1 - _check_share("non_face_share", non_face_share), non_face_share)
    random = np.random.RandomState(seed)
    groups = [
        draw_groups(split.labels, faces, non_faces, random)
        for split, faces in zip(splits, (shares, (0.5, 0.5) if even_test else shares), strict=True)
    ]
    return _build_world(splits, groups, ("plain", mechanism), shares, seed)


def noise(splits: Splits, seed: int, rates: Sequence[float] = RATES) -> World:
    """Flips labels at a rate that depends on the group, in both splits and both classes.

    The groups are made by the first of `isometries`, one a rate, equally often among faces and
    among non-faces. What labels were before stands in the attribute `true`.

    Args:
      splits: faces (label 1) and non-faces (0), square.
      seed: of the images put into each group, and of the labels flipped; 0 to 2**32 - 1.
      rates: of labels flipped in each group, 0 to 1.

    Raises:
      ValueError: there are too many rates or one is not allowed, or images are not square.
    """
    names = isometries(splits.train.images.shape[-1])
    if not 1 <= len(rates) <= len(names):
        raise ValueError(f"world.rates: {tuple(rates)} has {len(rates)}; 1 to {len(names)} can be")
    rates = tuple(_check_share("rates", float(rate)) for rate in rates)
    random = np.random.RandomState(seed)
    even = np.full(len(rates), 1 / len(rates))
    groups = [draw_groups(split.labels, even, even, random) for split in splits]
    world = _build_world(splits, groups, names[: len(rates)], tuple(even.tolist()), seed)
    flipped = [
        split._replace(labels=flip_labels(split.labels, group, rates, random))
        for split, group in zip(world.splits, groups, strict=True)
    ]
    return world._replace(splits=Splits(*flipped), rates=rates)


WORLDS = {"plain": plain, "density": density, "conflict": conflict, "noise": noise}


def flip_labels(
    labels: np.ndarray,
    group: np.ndarray,
    rates: Sequence[float],
    random: np.random.RandomState,
) -> np.ndarray:
    """Labels 0 and 1, `[N]`, each flipped with the probability of its group, int `[N]`."""
    flipped = random.random_sample(len(labels)) < np.asarray(rates)[group]
    return np.where(flipped, 1 - labels, labels).astype(labels.dtype)


def _build_world(
    splits: Splits,
    groups: Sequence[np.ndarray],
    names: Sequence[Spec],
    shares: tuple[float, ...],
    seed: int,
) -> World:
    """Transforms the images, and writes down groups and labels as they are."""
    made = []
    for number, (split, group) in enumerate(zip(splits, groups, strict=True)):
        known = {**split.attributes, "group": group, "true": split.labels.astype(np.int32)}
        if split.images.shape[-1] == 3:
            known["luminance"] = luminance(split.images)
        # A mechanism that draws shall not draw the same for both splits.
        key = jax.random.fold_in(jax.random.key(seed), number)
        images = transform(split.images, group, names, key)
        made.append(Dataset(images, split.labels, known))
    labels = tuple(mechanisms.label(name) for name in names)
    return World(Splits(*made), labels, shares, (0.0,) * len(labels))


def _check_share(field: str, share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError(f"world.{field}: {share} is not allowed; choose from 0 to 1")
    return share


def _check_shares(field: str, shares: Sequence[float], count: int) -> None:
    if len(shares) != count or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(
            f"world.{field}: {tuple(shares)} is not allowed; {count} numbers from 0 that add up to "
            "1 are needed"
        )
