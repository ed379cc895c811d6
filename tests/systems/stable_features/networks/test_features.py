import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.stable_features.networks.exquisite_net import (
    ExquisiteNetV2,
    _Depthwise,
    _max_pool,
)
from icm_jax.systems.stable_features.networks.features import HEAD
from icm_jax.systems.stable_features.networks.registry import CLASSIFIERS


def shapes(network, channels):
    images = jax.ShapeDtypeStruct((2, 28, 28, channels), jnp.float32)
    return jax.eval_shape(network.init_with_output, jax.random.key(0), images)


@pytest.mark.parametrize(
    ("name", "channels", "count"),
    [
        # 9*10*32 + 32, 9*32*64 + 64, 9216*300 + 300, 300*10 + 10.
        ("cnn", 10, 2_789_518),
        ("vgg", 10, 5_159_690),
        ("exquisite", 10, 518_594),
        ("exquisite", 3, 518_230),
    ],
)
def test_networks_have_the_published_number_of_parameters(name, channels, count):
    outputs, variables = shapes(CLASSIFIERS[name](10), channels)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == count
    assert outputs.logits.shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "features"), [("cnn", 300), ("vgg", 1024), ("exquisite", 384), ("mlp", 300)]
)
def test_features_are_what_the_logits_are_made_of(name, features):
    network = CLASSIFIERS[name](4)
    # One image: kernels of the tests are small, the networks as they are.
    images = jax.random.uniform(jax.random.key(1), (1, 28, 28, 2))
    outputs, variables = jax.jit(network.init_with_output)(jax.random.key(0), images)
    assert outputs.features.shape == (1, features)
    dense = variables["params"][HEAD]
    logits = outputs.features @ dense["kernel"] + dense["bias"][None]
    np.testing.assert_allclose(outputs.logits, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["cnn", "exquisite"])
def test_dropout_and_batch_statistics_belong_to_training(name):
    network = CLASSIFIERS[name](3)
    images = jax.random.uniform(jax.random.key(1), (4, 28, 28, 1))

    @jax.jit
    def compute(images):
        variables = network.init(jax.random.key(0), images)
        rngs = {"dropout": jax.random.key(2)}
        trained = network.apply(variables, images, train=True, rngs=rngs, mutable=["batch_stats"])
        return variables, *trained, network.apply(variables, images)

    variables, outputs, updates, evaluated = compute(images)
    assert jnp.abs(outputs.logits - evaluated.logits).max() > 1e-4
    assert bool(updates) == (name == "exquisite")
    if updates:
        before, after = variables["batch_stats"], updates["batch_stats"]
        assert not jnp.allclose(before["BatchNorm_0"]["mean"], after["BatchNorm_0"]["mean"])


@pytest.mark.parametrize(("size", "stride", "side"), [(3, 1, 7), (3, 1, 4), (4, 2, 28), (4, 2, 7)])
def test_depthwise_is_a_grouped_convolution(size, stride, side):
    layer = _Depthwise(size, stride)
    x = jax.random.normal(jax.random.key(0), (2, side, side, 5))
    y, variables = layer.init_with_output(jax.random.key(1), x)
    expected = jax.lax.conv_general_dilated(
        x,
        variables["params"]["kernel"],
        (stride, stride),
        [(1, 1), (1, 1)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=5,
    )
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_pooling_keeps_an_odd_last_row():
    x = -jnp.arange(9.0).reshape(1, 3, 3, 1)
    chex.assert_trees_all_equal(_max_pool(x)[0, :, :, 0], jnp.array([[0.0, -2.0], [-6.0, -8.0]]))


def test_the_sides_of_exquisite_net_are_28_14_7_4_2_1():
    network = ExquisiteNetV2(10)
    images = jnp.zeros((1, 28, 28, 1))
    variables = jax.eval_shape(network.init, jax.random.key(0), images)
    _, state = jax.eval_shape(
        lambda v, x: network.apply(v, x, capture_intermediates=True, mutable=["intermediates"]),
        variables,
        images,
    )
    sides = [
        found["__call__"][0].shape[1]
        for name, found in state["intermediates"].items()
        if name.startswith("_Depthwise")
    ]
    assert sorted(set(sides), reverse=True) == [14, 7, 4, 2, 1]
