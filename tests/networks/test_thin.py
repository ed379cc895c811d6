"""Convolutions with few channels on one side: the same values as XLA's, by sums of products."""

import functools

import chex
import jax
import jax.numpy as jnp
import pytest

from icm_jax.networks import convolution, thin

SAME, VALID, ODD = ((1, 1), (1, 1)), ((0, 0), (0, 0)), ((0, 2), (1, 0))
CHANNELS = [(1, 16), (3, 5), (5, 2), (16, 1), (12, 3)]


def reference(x, k, padding):
    return jax.lax.conv_general_dilated(
        x, k, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def arrays(*shapes):
    return [jax.random.normal(jax.random.key(i), s) for i, s in enumerate(shapes)]


def test_three_pixels_by_hand():
    # One row of images, so that the middle row of the kernel counts: 2x(left) + 3x + 5x(right).
    x = jnp.float32([1, 10, 100]).reshape(1, 1, 3, 1)
    k = jnp.zeros((3, 3, 1, 1)).at[1, :, 0, 0].set(jnp.float32([2, 3, 5]))
    expected = [3 * 1 + 5 * 10, 2 * 1 + 3 * 10 + 5 * 100, 2 * 10 + 3 * 100]
    for convolve in (thin.widen, thin.narrow):
        assert convolve(x, k, SAME).ravel().tolist() == expected
    # What a place of the kernel has done: the right one saw pixel 2 from 1, and pixel 3 from 2.
    g = jnp.float32([1, 7, 0]).reshape(1, 1, 3, 1)
    gradient = thin.kernel_gradient(x, g, SAME)[:, :, 0, 0].tolist()
    assert gradient == [[0, 0, 0], [7 * 1, 1 + 7 * 10, 10 + 7 * 100], [0, 0, 0]]


@pytest.mark.parametrize("padding", [SAME, VALID, ODD])
@pytest.mark.parametrize("channels", CHANNELS)
def test_values_and_gradients_are_those_of_xla(channels, padding):
    x, k = arrays((3, 6, 7, channels[0]), (3, 3, *channels))

    # One program, where there would be one for each shift.
    @jax.jit
    def every(x, k):
        y, pull_back = jax.vjp(lambda x, k: reference(x, k, padding), x, k)
        (g,) = arrays(y.shape)
        ours = [
            (convolve(x, k, padding), thin.images_gradient(g, k, padding, convolve))
            for convolve in (thin.widen, thin.narrow)
        ]
        return y, pull_back(g), ours, thin.kernel_gradient(x, g, padding)

    y, (by_images, by_kernel), ours, kernel_gradient = every(x, k)
    close = functools.partial(chex.assert_trees_all_close, rtol=1e-5, atol=2e-5)
    for found in ours:
        close(found, (y, by_images))
    close(kernel_gradient, by_kernel)


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_cpu_takes_them_for_all_that_they_suit(channels):
    x, k = arrays((2, 5, 6, channels[0]), (4, 3, 3, *channels))
    fast = functools.partial(
        convolution.conv_general_dilated, window_strides=(1, 1), lowering="unrolled"
    )
    fast = functools.partial(fast, dimension_numbers=("NHWC", "HWIO", "NHWC"), padding="SAME")

    def both(conv):
        return lambda k: (conv(x, k), jax.grad(lambda x: (conv(x, k) ** 2).sum())(x))

    one_by_one = jax.jit(both(functools.partial(reference, padding="SAME")))
    each = jax.tree.map(lambda *t: jnp.stack(t), *[one_by_one(one) for one in k])
    mapped = jax.jit(jax.vmap(both(fast)))(k)
    chex.assert_trees_all_close(mapped, each, rtol=1e-5, atol=1e-4)
    left = str(jax.make_jaxpr(jax.vmap(functools.partial(fast, x)))(k))
    if thin.has_faster_gradient(*channels):
        left += str(jax.make_jaxpr(jax.vmap(both(fast)))(k))
    assert "conv_general_dilated" not in left
    # A batch in halves is half the accuracy: other formats are left to XLA.
    half = jax.make_jaxpr(fast)(x.astype(jnp.bfloat16), k[0].astype(jnp.bfloat16))
    assert "conv_general_dilated" in str(half)


@pytest.mark.parametrize(
    ("taken", "made", "chosen"),
    [(1, 16, thin.widen), (3, 32, thin.widen), (3, 64, None), (32, 1, thin.narrow)]
    + [(64, 1, thin.narrow), (16, 16, None), (32, 3, None), (8, 12, None)],
)
def test_what_is_chosen(taken, made, chosen):
    assert thin.choose(taken, made) is chosen
    assert thin.has_faster_gradient(taken, made) == (made <= 5 and taken >= 8)


def test_only_what_it_computes_suits():
    (k,) = arrays((3, 3, 1, 4))
    assert thin.suits(k, (1, 1), SAME)
    assert not thin.suits(k, (2, 2), SAME)
    assert not thin.suits(k, (1, 1), ((3, 1), (1, 1)))
    assert not thin.suits(k.astype(jnp.bfloat16), (1, 1), SAME)
    assert not thin.suits(k[:1, :1], (1, 1), SAME)
    with pytest.raises(AssertionError):
        thin.widen(jnp.zeros((1, 4, 4, 2)), k, SAME)
