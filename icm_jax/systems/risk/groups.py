"""Puts images into groups: by isometries of pixel space, mechanisms, or measured luminance.

An isometry keeps all distances between images, hence volumes: the density of a transformed image
in its group is that of the image before times the share of the group, exactly as long as groups do
not overlap. All of `ISOMETRIES` are isometries: pixels change their places or are inverted.
Mechanisms that darken or cover a face are none: a rare dark group can be denser than a common one.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import mechanisms
from icm_jax.chunks import in_chunks
from icm_jax.mechanisms import Mechanism, Spec

FACE = 1  # the class of faces; what is none is of class 0
_CHUNK = 256  # images that are transformed at a time


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


def transform(
    images: np.ndarray,
    group: np.ndarray,
    names: Sequence[Spec],
    key: jax.Array | None = None,
) -> np.ndarray:
    """Puts images into groups.

    With all of `group` the same, every image has its counterpart in that group: of an isometry the
    true log densities of the two differ by the log of the groups' shares.

    Args:
      images: uint8 `[N, H, W, C]`.
      group: int `[N]`, of each image.
      names: what makes each group: a name in `ISOMETRIES`, or one of `icm_jax.mechanisms`.
      key: typed key, of mechanisms that draw; by default that of seed 0.

    Returns:
      uint8 `[N, H, W, C]`. Isometries are exact.

    Raises:
      ValueError: a mechanism is unknown, or cannot be applied to such images.
    """
    for name in names:
        _check_mechanism(name, images.shape[1:])
    key = jax.random.key(0) if key is None else key
    made = images.copy()
    for number, name in enumerate(names):
        rows = np.flatnonzero(group == number)
        steps = _steps(name)
        if len(rows) and steps:
            made[rows] = _apply(steps, images[rows], jax.random.fold_in(key, number))
    return made


def _apply(steps: tuple[Spec | Mechanism, ...], images: np.ndarray, key: jax.Array) -> np.ndarray:
    """What mechanisms, one after the other, make of images: uint8 `[N, H, W, C]`, as they are."""
    return in_chunks(
        lambda i: _apply_chunk(steps, key, i.astype(np.int32), images[i]), len(images), _CHUNK
    )


@functools.partial(jax.jit, static_argnums=0)
def _apply_chunk(
    steps: tuple[Spec | Mechanism, ...], key: jax.Array, index: jax.Array, pixels: jax.Array
) -> jax.Array:
    # By name, so that what one split or world compiled serves all.
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(index)
    made = pixels.astype(jnp.float32) / 255
    for step in steps:
        made = jax.vmap(step if callable(step) else mechanisms.build(step))(keys, made)
    return jnp.rint(made * 255).astype(jnp.uint8)


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
    measured: np.ndarray, known: np.ndarray, quantiles: Sequence[float] = (0.25, 0.5, 0.75)
) -> np.ndarray:
    """Groups faces by luminance: int32 `[N]`, 0 for the darkest.

    Args:
      measured: of the faces, `[N]`.
      known: of the faces whose quantiles count, such as those of training, `[M]`.
      quantiles: rising, where one group ends and the next begins.
    """
    return np.searchsorted(np.quantile(known, quantiles), measured, "right").astype(np.int32)


def count_shares(count: int, shares: Sequence[float]) -> np.ndarray:
    """How many of `count` each share is: int `[G]`, each by less than 1 off; they add up."""
    wanted = count * np.asarray(shares, np.float64) / np.sum(shares)
    counts = np.floor(wanted + 1e-9).astype(int)
    # What is left goes to those that lost most by rounding down.
    order = np.argsort(-(wanted - counts), kind="stable")
    counts[order[: count - counts.sum()]] += 1
    return counts


def draw_groups(
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


def _steps(name: Spec) -> tuple[Spec | Mechanism, ...]:
    """What is done to the images of a group, one after the other: names, or functions."""
    if isinstance(name, str):
        return ISOMETRIES.get(name, (name,))
    return (mechanisms.build(name),)


def _check_mechanism(name: Spec, shape: tuple[int, ...]) -> None:
    if name == "quarter_turn" and shape[0] != shape[1]:
        raise ValueError(
            f"world: images of {shape[0]}x{shape[1]} pixels cannot be turned by a quarter; set "
            "data.size"
        )
    if not isinstance(name, str) or name not in ISOMETRIES:
        try:
            mechanisms.check([name], shape)
        except ValueError as error:
            raise ValueError(f"world.mechanism: {error}") from error
