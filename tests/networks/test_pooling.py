"""Max pooling against Flax's own, and who gets the gradient of a tie."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.networks.pooling import max_pool


@pytest.mark.parametrize(
    ("sides", "size", "padding"),
    [
        ((6, 8), 2, "VALID"),
        ((7, 5), 2, "VALID"),
        ((7, 5), 2, "SAME"),
        ((1, 1), 2, "SAME"),
        ((8, 7), 3, ((1, 1), (1, 1))),
        ((8, 8), 3, ((0, 1), (2, 0))),
    ],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_it_is_that_of_flax_with_its_gradient(sides, size, padding, dtype):
    key, cotangent_key = jax.random.split(jax.random.key(0))
    # Few different values: most windows have several that are largest.
    x = jax.random.randint(key, (2, *sides, 3), -2, 2).astype(dtype)

    def ours(x):
        return max_pool(x, size, padding)

    def theirs(x):
        return nn.max_pool(x, (size, size), (2, 2), padding)

    expected, to_expected = jax.vjp(theirs, x)
    found, to_found = jax.vjp(ours, x)
    chex.assert_trees_all_equal(found, expected, strict=True)
    # Whole numbers, so that the order in which overlapping windows are added changes nothing.
    cotangent = jax.random.randint(cotangent_key, found.shape, -9, 9).astype(dtype)
    chex.assert_trees_all_equal(to_found(cotangent), to_expected(cotangent), strict=True)


def test_the_first_of_the_largest_in_reading_order_gets_the_gradient():
    x = jnp.array([[1.0, 3.0], [3.0, 3.0]])[None, :, :, None]
    gradient = jax.grad(lambda x: max_pool(x).sum())(x)
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[0, 1], [0, 0]])


@pytest.mark.parametrize("place", range(4))
def test_nan_is_not_lost(place):
    x = jnp.arange(4.0).at[place].set(jnp.nan).reshape(1, 2, 2, 1)
    assert jnp.isnan(max_pool(x)).all()
