import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.networks import convolution
from icm_jax.networks.compute import Compute

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def fast(x, k, stride=1, lowering="unrolled"):
    return convolution.conv_general_dilated(
        x, k, (stride, stride), "SAME", lowering, dimension_numbers=DIMENSIONS
    )


def reference(x, k, stride=1):
    return jax.lax.conv_general_dilated(
        x, k, (stride, stride), "SAME", dimension_numbers=DIMENSIONS
    )


def arrays(*shapes):
    return [jax.random.normal(jax.random.key(i), s) for i, s in enumerate(shapes)]


def gradients(conv, x, k, g):
    return jax.grad(lambda x, k: (conv(x, k) * g).sum(), argnums=(0, 1))(x, k)


def test_one_pixel_by_hand():
    # A 3x3 kernel of ones sums the neighbourhood: 0+1+2+3+4+5+6+7+8 = 36 at the centre.
    x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    y = fast(x, jnp.ones((3, 3, 1, 1)))
    assert y[0, 1, 1, 0] == 36.0
    assert y[0, 0, 0, 0] == 0 + 1 + 3 + 4


@pytest.mark.parametrize("stride", [1, 2])
def test_values_and_gradients_are_those_of_xla(stride):
    x, k = arrays((20, 28, 28, 8), (3, 3, 8, 13))
    y = reference(x, k, stride)
    (g,) = arrays(y.shape)
    chex.assert_trees_all_equal(fast(x, k, stride), y)
    chex.assert_trees_all_close(
        gradients(lambda x, k: fast(x, k, stride), x, k, g),
        gradients(lambda x, k: reference(x, k, stride), x, k, g),
        rtol=1e-5,
        atol=1e-3,  # of kernel gradients in the hundreds, sums over 9408 pixels
    )


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (6, 1), (1, 1)])
@pytest.mark.parametrize("lowering", convolution.LOWERINGS)
def test_vmap_over_kernels_is_a_loop_over_kernels(lowering, size, stride):
    x, k = arrays((4, 7, 8, 3), (5, size, size, 3, 4))
    conv = functools.partial(fast, stride=stride, lowering=lowering)
    each = [reference(x, k[e], stride) for e in range(5)]
    chex.assert_trees_all_close(jax.vmap(conv, (None, 0))(x, k), jnp.stack(each), atol=1e-5)
    (g,) = arrays((5, *each[0].shape))
    loop = functools.partial(reference, stride=stride)
    each = [gradients(loop, x, k[e], g[e]) for e in range(5)]
    mapped = jax.vmap(lambda k, g: gradients(conv, x, k, g))(k, g)
    for e in range(5):
        chex.assert_trees_all_close(
            jax.tree.map(lambda t, e=e: t[e], mapped), each[e], rtol=1e-5, atol=2e-5
        )


@pytest.mark.parametrize("lowering", convolution.LOWERINGS)
def test_vmap_over_images_and_nested_vmap(lowering):
    conv = functools.partial(fast, lowering=lowering)
    x, k = arrays((2, 3, 4, 8, 8, 3), (2, 3, 3, 3, 3, 4))
    mapped = jax.vmap(jax.vmap(conv))(x, k)
    for i, j in np.ndindex(2, 3):
        chex.assert_trees_all_close(mapped[i, j], reference(x[i, j], k[i, j]), atol=1e-5)
    shared_kernel = jax.vmap(conv, (0, None))(x[0], k[0, 0])
    chex.assert_trees_all_close(shared_kernel[2], reference(x[0, 2], k[0, 0]), atol=1e-5)


def test_a_matrix_product_is_what_matmul_says():
    x, k = arrays((4, 8, 8, 3), (5, 3, 3, 3, 4))
    conv = functools.partial(fast, lowering="matmul")
    text = str(jax.make_jaxpr(jax.vmap(jax.grad(lambda k: (conv(x, k) ** 2).sum())))(k))
    assert "dot_general" in text and "conv_general_dilated[" not in text
    with pytest.raises(NotImplementedError, match="no dilation and no groups"):
        grouped = functools.partial(
            convolution.conv_general_dilated,
            window_strides=(1, 1),
            padding="SAME",
            lowering="matmul",
            dimension_numbers=DIMENSIONS,
            feature_group_count=3,
        )
        jax.vmap(grouped, (None, 0))(x, k[:, :, :, :1, :3])


def test_no_grouped_convolution_is_left_on_a_cpu():
    """A vmapped `lax.conv` becomes one grouped convolution, the slow path that this avoids."""
    x, k = arrays((4, 8, 8, 3), (5, 3, 3, 3, 4))

    def gradient(k):
        return jax.vmap(lambda k: jax.grad(lambda k: (fast(x, k) ** 2).sum())(k))(k)

    text = str(jax.make_jaxpr(gradient)(k))
    assert "feature_group_count=1" in text
    assert "feature_group_count=5" not in text
    assert "batch_group_count=5" not in text


@pytest.mark.parametrize(("platform", "lowering"), [("cpu", "unrolled"), ("gpu", "matmul")])
def test_auto_is_chosen_by_platform_and_a_name_is_taken_as_it_is(platform, lowering):
    chosen = Compute(platform=platform).conv(4).conv_general_dilated
    assert chosen.keywords == {"lowering": lowering}
    named = Compute(convolution="grouped", platform=platform).conv(4).conv_general_dilated
    assert named.keywords == {"lowering": "grouped"}


def test_images_without_a_batch_are_refused():
    x, k = arrays((8, 8, 3), (3, 3, 3, 4))
    with pytest.raises(AssertionError, match="rank"):
        fast(x, k)


def test_chunks_divide_the_batch():
    assert convolution._chunk_count((320, 28, 28, 32)) == 40  # chunks of 8 images, 200,704 numbers
    assert convolution._chunk_count((320, 7, 7, 64)) == 20  # chunks of 16 images
    assert convolution._chunk_count((2, 28, 28, 32)) == 1
    assert convolution._chunk_count((31, 200, 200, 8)) == 31


def test_it_serves_flax_conv():
    x, _ = arrays((2, 8, 8, 8), ())
    unrolled = functools.partial(convolution.conv_general_dilated, lowering="unrolled")
    ours = nn.Conv(13, (3, 3), conv_general_dilated=unrolled)
    variables = ours.init(jax.random.key(0), x)
    chex.assert_trees_all_close(ours.apply(variables, x), nn.Conv(13, (3, 3)).apply(variables, x))
