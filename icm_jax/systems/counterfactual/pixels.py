"""Images in [-1, 1], as networks make and take them, in other ranges."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Array = TypeVar("Array", np.ndarray, jax.Array)


def to_unit(images: Array) -> Array:
    """Float images of any shape in [0, 1], as they are drawn; beyond -1 and 1 they are clipped."""
    return ((images + 1) / 2).clip(0, 1)


def to_pixels(images: jax.Array) -> jax.Array:
    """Likewise as uint8, 0 to 255."""
    return jnp.round((jnp.clip(images, -1, 1) + 1) * 127.5).astype(jnp.uint8)
