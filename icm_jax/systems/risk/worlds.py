"""Worlds with known truth: what is done to faces and non-faces, so that a risk can be checked.

| world | what is planted | what is known |
|---|---|---|
| `plain` | nothing | nothing |
| `density` | six groups of faces, each by an isometry of pixel space | their shares are their densities |
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
    """Nothing is done; one group, `plain`."""
    del seed
    return _world(splits, ("plain",), (1.0,), [np.zeros(len(s.labels), np.int32) for s in splits])


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
      even_test: faces of the test split are put into all groups equally often, so that each
        group's rate is measured on as many; else by `shares`.

    Raises:
      ValueError: shares are not allowed, or images are not square.
    """


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
      splits: as in `density`.
      seed: of the images it is applied to, and of a mechanism with noise.
      mechanism: any of `icm_jax.mechanisms`, or a name in `ISOMETRIES`.
      share: of the faces.
      non_face_share: of the non-faces, in both splits.
      even_test: to half of the faces of the test split; else to `share` of them.
    """


def noise(splits: Splits, seed: int, rates: Sequence[float] = RATES) -> World:
    """Flips labels at a rate that depends on the group, in both splits and classes.

    The groups are made by the first isometries, one a rate, equally often among faces and
    non-faces. What labels were before stands in the attribute `true`.
    """
