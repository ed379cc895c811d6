"""A 3x3 convolution of an image at twice its resolution, without making that image.

Where every pixel stands twice in each direction a 3x3 window sees only 2x2 different ones: the
values are those of four 2x2 convolutions of the small image, one for each place in a doubled pixel,
whose kernels are sums of the 3x3 kernel's entries. That is 2.25 times less work. Their gradients
are slow on a CPU (10 times, XLA of JAX 0.10): those of the plain form are taken.
"""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np

# Which rows of the 3x3 kernel meet the first and the second of the two rows that the upper, or the
# lower, half of a doubled pixel sees: [half, row seen, row of the kernel].
_MEET = np.float32([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])


def convolve_doubled(conv: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """A convolution of nearest neighbours at twice the resolution, with zeros around.

    Args:
      conv: as `jax.lax.conv_general_dilated`.

    Returns:
      What `flax.linen.Conv` takes in its place: of images `[B, H, W, C]` and kernels
      `[3, 3, C, F]`, with strides of 1 and one pixel of padding; it makes `[B, 2H, 2W, F]`.
    """

    def convolve(lhs, rhs, window_strides, padding, **kwargs):
        chex.assert_shape(rhs, (3, 3, None, None))
        plain = functools.partial(_convolve_plainly, conv, window_strides, padding, kwargs)

        @jax.custom_vjp
        def fast(lhs, rhs):
            return _convolve_small(functools.partial(conv, **kwargs), lhs, rhs)

        fast.defvjp(
            lambda lhs, rhs: (fast(lhs, rhs), (lhs, rhs)),
            lambda saved, g: jax.vjp(plain, *saved)[1](g),
        )
        return fast(lhs, rhs)

    return convolve


def _convolve_plainly(conv, window_strides, padding, kwargs, lhs, rhs) -> jax.Array:
    doubled = lhs.repeat(2, axis=1).repeat(2, axis=2)
    return conv(doubled, rhs, window_strides, padding, **kwargs)


def _convolve_small(conv: Callable[..., jax.Array], lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    batch, height, width, _ = lhs.shape
    features = rhs.shape[-1]
    kernel = jnp.einsum("apk,bql,klcf->pqcabf", _MEET, _MEET, rhs, precision="highest")
    kernel = kernel.reshape(2, 2, rhs.shape[2], 4 * features)
    found = conv(lhs, kernel, (1, 1), ((1, 1), (1, 1)))
    found = found.reshape(batch, height + 1, width + 1, 2, 2, features)
    halves = [
        jnp.stack([found[:, a : a + height, b : b + width, a, b] for b in (0, 1)], axis=3)
        for a in (0, 1)
    ]  # [B, H, W, 2, F] each
    return jnp.stack(halves, axis=2).reshape(batch, 2 * height, 2 * width, features)
