"""Corruptions that no expert is trained on: for tests of what experts make of the unknown.

After MNIST-C (Mu and Gilmer 2019), each a pure function of a key and one image.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from icm_jax.mechanisms.registry import register

# Ten, two of which are mechanisms of faces.
CORRUPTIONS = (
    "rotate",
    "shear",
    "zoom",
    {"name": "blur", "radius": 0.07},
    {"name": "exposure", "stops": -2.5},
    "salt_and_pepper",
    "stripe",
    "haze",
    "occlusion",
    "pixelate",
)


@register("rotate")
def rotate(key: jax.Array, image: jax.Array, *, degrees: float = 30.0) -> jax.Array:
    """Turns the image counter-clockwise about its middle; zeros come in."""
    del key
    angle = np.deg2rad(degrees)
    return _affine(image, [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


@register("shear")
def shear(key: jax.Array, image: jax.Array, *, by: float = 0.5) -> jax.Array:
    """Moves each row left by `by` times its height above the middle, rows below right."""
    del key
    return _affine(image, [[1.0, 0.0], [-by, 1.0]])


@register("zoom")
def zoom(key: jax.Array, image: jax.Array, *, factor: float = 0.6) -> jax.Array:
    """Scales what the image shows by `factor` about its middle; zeros come in."""
    del key
    return _affine(image, [[1 / factor, 0.0], [0.0, 1 / factor]])


@register("salt_and_pepper")
def salt_and_pepper(key: jax.Array, image: jax.Array, *, share: float = 0.2) -> jax.Array:
    """Makes a `share` of the pixels 0 or 1, each as often."""
    drawn = jax.random.uniform(key, (*image.shape[:2], 1))
    image = jnp.where(drawn < share / 2, 0.0, image)
    return jnp.where(drawn > 1 - share / 2, 1.0, image)


@register("stripe")
def stripe(key: jax.Array, image: jax.Array, *, width: float = 0.15) -> jax.Array:
    """Inverts an upright stripe in the middle, `width` times as wide as the image."""
    del key
    half = max(round(image.shape[1] * width / 2), 1)
    middle = image.shape[1] // 2
    return image.at[:, middle - half : middle + half].set(
        1 - image[:, middle - half : middle + half]
    )


@register("haze")
def haze(key: jax.Array, image: jax.Array, *, density: float = 0.5) -> jax.Array:
    """Lifts the dark: x becomes `density + (1 - density) x`."""
    del key
    return density + (1 - density) * image


@register("occlusion")
def occlusion(key: jax.Array, image: jax.Array, *, side: float = 0.3) -> jax.Array:
    """Covers a square of value 0 at a random place of the middle half, `side` times as large."""
    height, width = image.shape[:2]
    lengths = [max(round(length * side), 1) for length in (height, width)]
    least = jnp.array([height // 4, width // 4])
    most = jnp.array([3 * height // 4 - lengths[0], 3 * width // 4 - lengths[1]])
    start = jax.random.randint(key, (2,), least, jnp.maximum(most, least) + 1)
    cover = jnp.zeros((*lengths, image.shape[2]), image.dtype)
    return jax.lax.dynamic_update_slice(image, cover, (start[0], start[1], 0))


@register("pixelate")
def pixelate(key: jax.Array, image: jax.Array, *, side: int = 4) -> jax.Array:
    """Gives each square of `side` pixels its mean.

    Raises:
      ValueError: if `side` does not divide the image's.
    """
    del key
    height, width, channels = image.shape
    if height % side or width % side:
        raise ValueError(f"side: {side} does not divide the images' {height}x{width} pixels")
    squares = image.reshape(height // side, side, width // side, side, channels)
    means = squares.mean(axis=(1, 3), keepdims=True)
    return jnp.broadcast_to(means, squares.shape).reshape(image.shape)


def _affine(image: jax.Array, matrix: list[list[float]]) -> jax.Array:
    """The image at `matrix` times the place of each pixel (down, across) from the middle."""
    height, width = image.shape[:2]
    middle = (np.array([height, width]) - 1) / 2
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1)
    taken = (places - middle) @ np.array(matrix).T + middle  # [H, W, 2]

    def of_channel(channel):
        at = [jnp.asarray(taken[..., axis], image.dtype) for axis in range(2)]
        return map_coordinates(channel, at, order=1, mode="constant")

    return jnp.clip(jax.vmap(of_channel, 2, 2)(image), 0.0, 1.0)
