"""Images as a classifier of ImageNet is shown them: random parts in training, the middle after."""

import chex
import jax
import jax.numpy as jnp

_LEAST_AREA = 0.08
_RATIOS = 3 / 4, 4 / 3  # of width to height


def crop_randomly(images: jax.Array, key: jax.Array, size: int) -> jax.Array:
    """A random part of each image, resized, and every other one mirrored (Szegedy et al. 2015).

    Parts have 8 to 100 % of the area and a ratio of width to height from 3/4 to 4/3; one that is
    wider or higher than the image is as wide or high as that.

    Args:
      images: `[B, S, S, C]`.
      key: typed key `[]`.
      size: pixels a side of the result.

    Returns:
      `[B, size, size, C]`.
    """
    chex.assert_rank(images, 4)
    return jax.vmap(_crop, (0, 0, None))(images, jax.random.split(key, len(images)), size)


def _crop(image: jax.Array, key: jax.Array, size: int) -> jax.Array:
    area_key, ratio_key, place_key, mirror_key = jax.random.split(key, 4)
    area = jax.random.uniform(area_key, (), minval=_LEAST_AREA, maxval=1.0)
    low, high = jnp.log(jnp.array(_RATIOS))
    ratio = jnp.exp(jax.random.uniform(ratio_key, (), minval=low, maxval=high))
    side = jnp.array(image.shape[:2], jnp.float32)
    part = jnp.minimum(side * jnp.sqrt(area * jnp.stack([1 / ratio, ratio])), side)
    start = jax.random.uniform(place_key, (2,)) * (side - part)
    scale = size / part
    shape = (size, size, image.shape[-1])
    made = jax.image.scale_and_translate(
        image, shape, (0, 1), scale, -start * scale, method="linear", antialias=True
    )
    return jnp.where(jax.random.bernoulli(mirror_key), made[:, ::-1], made)


def crop_middle(images: jax.Array, size: int) -> jax.Array:
    """The middle `[B, size, size, C]` of images `[B, S, S, C]`."""
    chex.assert_rank(images, 4)
    start = (images.shape[1] - size) // 2
    return images[:, start : start + size, start : start + size]
