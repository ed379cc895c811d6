"""From mechanisms to images: the mask is clamped, textures are shuffled, both are composed."""

import chex
import jax
import jax.numpy as jnp

_LEAST, _MOST = 1e-4, 0.9999


def clamp_mask(mask: jax.Array) -> jax.Array:
    """Masks as they are composed: of any shape, values in [0.0001, 0.9999]."""
    return jnp.clip(mask, _LEAST, _MOST)


def shuffle(textures: jax.Array, key: jax.Array) -> jax.Array:
    """Shifts each image cyclically by a random number of rows and of columns.

    It leaves a texture what it is and takes away where things are. The published code tiles an
    image twice by twice and crops it at an offset of 0 to S, which is this shift; offsets 0 and S
    are the same.

    Args:
      textures: `[B, S, S, C]`.
      key: typed key.
    """
    chex.assert_rank(textures, 4)
    count, size = textures.shape[:2]
    offsets = jax.random.randint(key, (count, 2), 0, size + 1)
    return jax.vmap(roll)(textures, offsets)


def roll(texture: jax.Array, offset: jax.Array) -> jax.Array:
    """The image `[S, S, C]` whose pixel 0, 0 is that at `offset` int32 `[2]` of another."""
    rows, columns = (
        (jnp.arange(side) + start) % side
        for side, start in zip(texture.shape[:2], offset, strict=True)
    )
    return texture[rows][:, columns]


def compose(mask: jax.Array, foreground: jax.Array, background: jax.Array) -> jax.Array:
    """Images `[B, S, S, 3]`: the foreground where the mask `[B, S, S, 1]` is, else the other."""
    chex.assert_rank([mask, foreground, background], 4)
    chex.assert_equal_shape([foreground, background])
    # Broadcast, the mask would get its gradient by a sum over 3 channels, which is slow on a CPU.
    mask = jnp.concatenate([mask] * foreground.shape[-1], axis=-1)
    return mask * foreground + (1 - mask) * background
