"""Mechanisms designed for faces: what covers them, how they are lit, how they are photographed.

Where something lies is a fraction of the image's height or width, so that any size will do; the
defaults fit faces cropped as closely as those of UTKFace. Each docstring says what is lost: of
what destroys nothing, a perfect expert restores everything.
"""

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.mechanisms.registry import register

FACES = (
    "mouth_mask",
    "dark_glasses",
    "light_left",
    "light_right",
    "blur",
    "exposure",
    "colour_cast",
    "upside_down",
    "noise",
)


def _coordinates(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the middles of pixels are: down `[H, 1]` and across `[1, W]`, in (0, 1)."""
    down, across = ((np.arange(length) + 0.5) / length for length in (height, width))
    return down[:, None], across[None]


def _below_the_eyes(height: int, width: int, *, top: float) -> np.ndarray:
    """bool `[H, W]`: the lower half of an ellipse whose middle is at `top`."""
    down, across = _coordinates(height, width)
    inside = ((across - 0.5) / 0.4) ** 2 + ((down - top) / 0.44) ** 2 <= 1
    return inside & (down >= top)


def _lenses(height: int, width: int, *, eyes: float) -> np.ndarray:
    """bool `[H, W]`: two ellipses at the height `eyes`, with a bridge between them."""
    down, across = _coordinates(height, width)
    # Both lenses at once: the distance from the nearer eye.
    from_eye = np.abs(across - 0.5) - 0.22
    lenses = (from_eye / 0.17) ** 2 + ((down - eyes) / 0.11) ** 2 <= 1
    bridge = (np.abs(across - 0.5) <= 0.22) & (np.abs(down - eyes) <= 0.025)
    return lenses | bridge


def _cover(image: jax.Array, region: np.ndarray, brightness: float) -> jax.Array:
    """The image `[H, W, C]` with an even `brightness` in a region, bool `[H, W]`."""
    return jnp.where(region[..., None], jnp.asarray(brightness, image.dtype), image)


@register("mouth_mask", region=_below_the_eyes)
def mouth_mask(
    key: jax.Array, image: jax.Array, *, top: float = 0.48, brightness: float = 0.8
) -> jax.Array:
    """Covers nose, mouth and chin with a mask of even `brightness`, from the height `top` down.

    Destroys what it covers; the rest of the face stays as it is.
    """
    del key
    return _cover(image, _below_the_eyes(*image.shape[:2], top=top), brightness)


@register("dark_glasses", region=_lenses)
def dark_glasses(
    key: jax.Array, image: jax.Array, *, eyes: float = 0.28, brightness: float = 0.05
) -> jax.Array:
    """Puts glasses of even, dark `brightness` before the eyes, which are at the height `eyes`.

    Destroys what it covers; the rest of the face stays as it is.
    """
    del key
    return _cover(image, _lenses(*image.shape[:2], eyes=eyes), brightness)


@register("light_left")
def light_left(key: jax.Array, image: jax.Array, *, shade: float = 0.2) -> jax.Array:
    """Light from the left of the image: it falls from 1 at the left edge to `shade` at the right.

    Destroys nothing while `shade` is above 0.
    """
    del key
    _, across = _coordinates(*image.shape[:2])
    return _lit(image, across, shade)


@register("light_right")
def light_right(key: jax.Array, image: jax.Array, *, shade: float = 0.2) -> jax.Array:
    """Light from the right of the image, `light_left` in a mirror.

    Destroys nothing while `shade` is above 0.
    """
    del key
    _, across = _coordinates(*image.shape[:2])
    return _lit(image, 1 - across, shade)


@register("blur")
def blur(key: jax.Array, image: jax.Array, *, radius: float = 0.05) -> jax.Array:
    """Blurs with a Gaussian whose standard deviation is `radius` times the shorter side.

    Destroys fine detail: what varies faster than the Gaussian is wide is damped to nearly nothing.
    At the border the average is over the pixels that there are.

    Raises:
      ValueError: if `radius` is not above 0.
    """
    del key
    if not radius > 0:
        raise ValueError(f"radius: {radius!r} is not allowed; it must be above 0")
    deviation = radius * min(image.shape[:2])
    rows, columns = (_average(length, deviation, image.dtype) for length in image.shape[:2])
    # The highest precision, as accelerators would round these sums to 8 or 10 bits.
    blurred = jnp.einsum("ij,jkc,lk->ilc", rows, image, columns, precision="highest")
    return jnp.clip(blurred, 0.0, 1.0)


@register("exposure")
def exposure(key: jax.Array, image: jax.Array, *, stops: float = -1.5) -> jax.Array:
    """Exposes the photograph by `stops`: x becomes `x * 2**stops`, at most 1.

    Destroys nothing where `stops` is below 0; above 0 it destroys what was brighter than
    `2**-stops`.
    """
    del key
    return jnp.clip(image * 2.0**stops, 0.0, 1.0)


@register("colour_cast")
def colour_cast(
    key: jax.Array, image: jax.Array, *, tint: tuple[float, ...] = (1.0, 0.7, 0.4)
) -> jax.Array:
    """Scales red, green and blue by `tint`, 0 to 1 each; warm light by default.

    Destroys nothing while all of `tint` is above 0.

    Raises:
      ValueError: for an image of other than three channels: a grey one has no colour to cast.
    """
    del key
    if image.shape[-1] != 3:
        raise ValueError(
            f"colour_cast needs 3 channels, but images have {image.shape[-1]}; take data in "
            "colour, or another mechanism"
        )
    return image * jnp.asarray(tint, image.dtype)[None, None]


@register("upside_down")
def upside_down(key: jax.Array, image: jax.Array) -> jax.Array:
    """Turns the image by 180 degrees. Destroys nothing."""
    del key
    return image[::-1, ::-1]


def _lit(image: jax.Array, away: np.ndarray, shade: float) -> jax.Array:
    """Scales pixels by 1 where `away`, `[1, W]`, is 0, down to `shade` where it is 1."""
    return image * jnp.asarray(1 - (1 - shade) * away[..., None], image.dtype)


def _average(length: int, deviation: float, dtype: jnp.dtype) -> jax.Array:
    """The Gaussian average along one axis as a matrix `[length, length]`, whose rows sum to 1."""
    distance = np.subtract.outer(np.arange(length), np.arange(length))
    weights = np.exp(-0.5 * (distance / deviation) ** 2)
    return jnp.asarray(weights / weights.sum(axis=1, keepdims=True), dtype)
