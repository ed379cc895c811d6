"""The mechanisms of the paper and of the 2022 reproduction: translations, inversion, noise."""

import functools

import jax
import jax.numpy as jnp

from icm_jax.mechanisms.registry import register

_DIRECTIONS = {
    "translate_right": (1, 0),
    "translate_left": (-1, 0),
    "translate_down": (0, 1),
    "translate_up": (0, -1),
    "translate_down_right": (1, 1),
    "translate_down_left": (-1, 1),
    "translate_up_right": (1, -1),
    "translate_up_left": (-1, -1),
}


@register("translate")
def translate(key: jax.Array, image: jax.Array, *, dx: int, dy: int) -> jax.Array:
    """Shifts the image `dx` pixels right and `dy` down; what leaves is lost, zeros come in."""
    del key
    height, width = image.shape[:2]
    x, y = abs(dx), abs(dy)
    padded = jnp.pad(image, ((y, y), (x, x), (0, 0)))
    return padded[y - dy : y - dy + height, x - dx : x - dx + width]


@register("invert")
def invert(key: jax.Array, image: jax.Array) -> jax.Array:
    """Inverts the contrast: x becomes 1 - x. Destroys nothing."""
    del key
    return 1.0 - image


@register("noise")
def noise(key: jax.Array, image: jax.Array, *, std: float = 0.5) -> jax.Array:
    """Adds Gaussian noise of mean 0 and standard deviation `std`, clipped to [0, 1].

    Destroys information, the more the larger `std` is.
    """
    return jnp.clip(image + std * jax.random.normal(key, image.shape, image.dtype), 0.0, 1.0)


def _register_translations(pixels: int) -> None:
    for name, (dx, dy) in _DIRECTIONS.items():
        register(name)(functools.partial(translate, dx=pixels * dx, dy=pixels * dy))


_register_translations(pixels=4)

# The ten of Parascandolo et al. 2018: translations by 4 pixels, inversion, noise of variance 0.25.
PAPER = (*_DIRECTIONS, "invert", "noise")
# The three of the 2022 reproduction.
THREE = ("translate_right", "translate_down", "invert")
