"""Colours of classes, and how they are drawn."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

# Mean colour of each digit (Kim et al. 2019, Learning Not to Learn, supplement).
MEANS = np.array(
    [
        (220, 20, 60),
        (0, 128, 128),
        (253, 233, 16),
        (0, 149, 182),
        (237, 145, 33),
        (145, 30, 188),
        (70, 240, 240),
        (250, 197, 187),
        (210, 245, 60),
        (128, 0, 0),
    ],
    np.uint8,
)

# Of double-coloured MNIST (Sauer and Geiger 2021): dark green, dark blue, maroon, orange red,
# yellow, burlywood, lime, aqua, fuchsia and cornflower blue; those of digits are four ahead.
BACKGROUNDS = np.array(
    [
        (0, 100, 0),
        (0, 0, 139),
        (176, 48, 96),
        (255, 69, 0),
        (255, 255, 0),
        (222, 184, 135),
        (0, 255, 0),
        (0, 255, 255),
        (255, 0, 255),
        (100, 149, 237),
    ],
    np.uint8,
)
FOREGROUNDS = np.roll(BACKGROUNDS, -4, axis=0)


def draw_jittered(means: np.ndarray, deviation: float, rng: np.random.RandomState) -> np.ndarray:
    """Colours `[N, 3]` about means uint8 `[N, 3]`, normal in each channel, as a share of 255."""
    return means / 255 + deviation * rng.standard_normal(means.shape)


def draw_inside(means: np.ndarray, deviation: float, rng: np.random.RandomState) -> np.ndarray:
    """Likewise, each number drawn anew until it is in [0, 1]; as uint8 `[N, 3]`, 0 to 255.

    So none is piled up at black or at full brightness, as clipping would.
    """
    colors = draw_jittered(means, deviation, rng)
    while (outside := (colors < 0) | (colors > 1)).any():
        colors[outside] = draw_jittered(means[outside], deviation, rng)
    return np.rint(colors * 255).astype(np.uint8)


def to_signed(images: jax.Array) -> jax.Array:
    """uint8 images of any shape, 0 to 255, as float32 from -1 to 1."""
    chex.assert_type(images, jnp.uint8)
    return (2 * images.astype(jnp.float32) - 255) / 255
