"""Worlds with known truth: what is done to faces and non-faces, so that a risk can be checked.

| world | what is planted | what is known |
|---|---|---|
| `plain` | nothing | nothing |
| `density` | six groups of faces, each by an isometry of pixel space | the density of each |
| `conflict` | one mechanism, rare among faces and frequent among non-faces | who is misjudged |
| `noise` | labels flipped at a rate that depends on the group | the rates |

An isometry keeps all distances between images, hence volumes: the density of a transformed image
in its group is that of the image before times the share of the group, exactly as long as groups do
not overlap. All of `ISOMETRIES` are isometries: pixels change their places or are inverted.
Mechanisms that darken or cover a face are none: a rare dark group can be denser than a common one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import mechanisms
from icm_jax.data.types import Dataset, Splits
from icm_jax.mechanisms import Mechanism, Spec

SHARES = (0.60, 0.20, 0.10, 0.06, 0.03, 0.01)
RATES = (0.0, 0.1, 0.2, 0.3)
FACE = 1  # the label


class World(NamedTuple):
    """A data set to which something known was done.

    Attributes:
      splits: images, and labels as a network sees them. Attributes are those that there were, and
        `group`, int32 `[N]`, which of the G groups an image was put into, be it a face or not,
        and `true`, int32 `[N]`, its label before any was flipped.
      names: of the groups.
      shares: `[G]`, of the faces in training that were put into each.
      rates: `[G]`, of labels flipped in each.
    """

    splits: Splits
    names: tuple[str, ...]
    shares: tuple[float, ...]
    rates: tuple[float, ...]


def _quarter_turn(key: jax.Array, image: jax.Array) -> jax.Array:
    """Turns a square image by 90 degrees, counterclockwise."""
    del key
    return jnp.rot90(image)


def _roll_channels(key: jax.Array, image: jax.Array) -> jax.Array:
    """Red becomes green, green blue, blue red."""
    del key
    return jnp.roll(image, 1, axis=-1)


def _mirror_halves(key: jax.Array, image: jax.Array) -> jax.Array:
    """Mirrors the image and shifts it around by half its width: each half is mirrored in place.

    To mirror it alone would change a face too little to tell the groups apart.
    """
    del key
    return jnp.roll(image[:, ::-1], image.shape[1] // 2, axis=1)


# Name of a group -> what is done to its images, one after the other.
ISOMETRIES: dict[str, tuple[Spec | Mechanism, ...]] = {
    "plain": (),
    "upside_down": ("upside_down",),
    "invert": ("invert",),
    "quarter_turn": (_quarter_turn,),
    "channels_rolled": (_roll_channels,),  # of images in colour
    "halves_mirrored": (_mirror_halves,),  # of grey ones in its place
    "upside_down_inverted": ("upside_down", "invert"),
}


def isometries(channels: int) -> tuple[str, ...]:
    """The names of the six groups of images with that many channels, 1 or 3."""
    other = "channels_rolled" if channels == 1 else "halves_mirrored"
    return tuple(name for name in ISOMETRIES if name != other)


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
        _draw_groups(split.labels, faces, non_faces, random)
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
        _draw_groups(split.labels, faces, non_faces, random)
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
    groups = [_draw_groups(split.labels, even, even, random) for split in splits]
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


def transform(
    images: np.ndarray, group: np.ndarray, names: Sequence[Spec], seed: int = 0
) -> np.ndarray:
    """Puts images into groups.

    With all of `group` the same, every image has its counterpart in that group: of an isometry the
    true log densities of the two differ by the log of the groups' shares.

    Args:
      images: uint8 `[N, H, W, C]`.
      group: int `[N]`, of each image.
      names: what makes each group: a name in `ISOMETRIES`, or one of `icm_jax.mechanisms`.
      seed: of mechanisms that draw.

    Returns:
      uint8 `[N, H, W, C]`. Isometries are exact.

    Raises:
      ValueError: a mechanism is unknown, or cannot be applied to such images.
    """
    for name in names:
        _check_mechanism(name, images.shape[1:])
    made = images.copy()
    for number, name in enumerate(names):
        rows = np.flatnonzero(group == number)
        if not len(rows) or not _steps(name):
            continue
        pixels = jnp.asarray(images[rows], jnp.float32) / 255
        key = jax.random.fold_in(jax.random.key(seed), number)
        for each in _steps(name):
            pixels = jax.vmap(each)(jax.random.split(key, len(rows)), pixels)
        made[rows] = np.rint(np.asarray(pixels) * 255).astype(np.uint8)
    return made


def luminance(images: np.ndarray) -> np.ndarray:
    """The mean luminance of the middle half of each face, `[N, H, W, C]`: float32 `[N]`, 0 to 255.

    Of a face that fills the image this is skin, of cheeks and nose, and the eyes.
    """
    height, width = images.shape[1:3]
    middle = images[:, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    mean = middle.mean((1, 2), dtype=np.float64)
    weights = (1.0,) if images.shape[-1] == 1 else (0.299, 0.587, 0.114)  # of Rec. 601
    return (mean @ np.array(weights)).astype(np.float32)


def luminance_groups(
    images: np.ndarray,
    quantiles: Sequence[float] = (0.25, 0.5, 0.75),
    reference: np.ndarray | None = None,
) -> np.ndarray:
    """Groups faces by luminance: int32 `[N]`, 0 for the darkest.

    Args:
      images: uint8 `[N, H, W, C]`.
      quantiles: rising, where one group ends and the next begins.
      reference: the images whose quantiles these are, such as those of training; by default
        `images`.
    """
    measured = luminance(images)
    known = measured if reference is None else luminance(reference)
    return np.searchsorted(np.quantile(known, quantiles), measured, "right").astype(np.int32)


def count_shares(count: int, shares: Sequence[float]) -> np.ndarray:
    """How many of `count` each share is: int `[G]`, each by less than 1 off; they add up."""
    wanted = count * np.asarray(shares, np.float64)
    counts = np.floor(wanted + 1e-9).astype(int)
    # What is left goes to those that lost most by rounding down.
    order = np.argsort(-(wanted - counts), kind="stable")
    counts[order[: count - counts.sum()]] += 1
    return counts


def _draw_groups(
    labels: np.ndarray,
    faces: Sequence[float],
    non_faces: Sequence[float],
    random: np.random.RandomState,
) -> np.ndarray:
    """Draws the group of each image, int32 `[N]`, with exact shares `[G]` of either class."""
    group = np.zeros(len(labels), np.int32)
    for rows, shares in ((labels == FACE, faces), (labels != FACE, non_faces)):
        counts = count_shares(int(rows.sum()), shares)
        group[rows] = random.permutation(np.repeat(np.arange(len(counts)), counts))
    return group


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
        # A mechanism that draws shall not draw the same for both splits.
        images = transform(split.images, group, names, (2 * seed + number) % 2**32)
        made.append(Dataset(images, split.labels, known))
    labels = tuple(mechanisms.label(name) for name in names)
    return World(Splits(*made), labels, shares, (0.0,) * len(labels))


def _steps(name: Spec) -> list[Mechanism]:
    """What is done to the images of a group, one after the other."""
    steps = ISOMETRIES.get(name, (name,)) if isinstance(name, str) else (name,)
    return [step if callable(step) else mechanisms.build(step) for step in steps]


def _check_mechanism(name: Spec, shape: tuple[int, ...]) -> None:
    if name == "quarter_turn" and shape[0] != shape[1]:
        raise ValueError(
            f"world: images of {shape[0]}x{shape[1]} pixels cannot be turned by a quarter; set "
            "data.size"
        )
    if not isinstance(name, str) or name not in ISOMETRIES:
        mechanisms.check([name], shape)


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
