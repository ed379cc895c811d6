"""What is seen of a network from outside, and dropout in it."""

import functools

import flax.linen as nn
import jax
import numpy as np
import pytest
from systems.risk.wrappers.nets import (
    MLP,
    Normed,
    Through,
    close,
    layer,
    made,
    normal,
    program,
    same,
)

from icm_jax.systems.risk.wrappers.network import Dropout, linear, look

HALF = Dropout(rate=0.5)
WITH_INPUTS = Dropout(rate=0.5, inputs=True)


@functools.partial(program, static_argnames=("network", "train", "dropout"))
def seen(network, variables, x, key, train=False, dropout=None):
    return look(network, variables, x, train=train, key=key, dropout=dropout)


@pytest.fixture(scope="module")
def normed():
    """(network, variables after other data than standard, images)."""
    network, images = Normed(), normal(0, 6, 3, 3, 2) * 2 + 1
    variables = made(network, images, train=False)
    variables["batch_stats"] = jax.tree.map(np.ones_like, variables["batch_stats"])
    return network, variables, images


def test_output_and_features_of_a_network():
    network, x = MLP((5, 4, 2)), normal(0, 3, 3)
    variables = made(network, x)
    got = seen(network, variables, x, None)
    same(got.output, program(network.apply)(variables, x))
    params = variables["params"]
    hidden = x
    for name in ("Dense_0", "Dense_1"):
        hidden = np.maximum(hidden @ params[name]["kernel"] + params[name]["bias"], 0)
    close(got.features, hidden, rtol=1e-5)
    assert got.batch_stats == {}


def test_linear_by_hand():
    params = layer([[1, 2], [3, 4]], [10, 20])
    np.testing.assert_array_equal(
        linear(params, np.float32([[1, 1], [0, 2]])), [[14, 26], [16, 28]]
    )


def test_statistics_of_the_batch_in_training_alone(normed):
    network, variables, images = normed
    after = seen(network, variables, images, jax.random.key(0), train=True).batch_stats
    mean, var = images.mean((0, 1, 2)), images.var((0, 1, 2))
    # They were 1, of which .9 stays.
    close(after["BatchNorm_0"]["mean"], 0.9 + 0.1 * mean, rtol=1e-5)
    close(after["BatchNorm_0"]["var"], 0.9 + 0.1 * var, rtol=1e-5)
    outside = seen(network, variables, images, jax.random.key(0), dropout=HALF)
    same(outside.batch_stats, variables["batch_stats"])


def test_an_output_does_not_know_the_rest_of_the_batch(normed):
    """Dropout included: a pass is one function. Alone, in another order, beside other images."""
    network, variables, images = normed
    call = functools.partial(seen, network, variables, key=jax.random.key(1), dropout=WITH_INPUTS)
    output = call(x=images).output
    order = np.array([3, 0, 5, 1, 2, 4])
    same(call(x=images[order]).output, output[order])
    others = np.concatenate([images[:2], 9 * images[2:]])
    same(call(x=others).output[:2], output[:2])
    close(call(x=images[:1]).output, output[:1], rtol=1e-5)


def test_dropout_of_the_network_itself_is_drawn_in_training(normed):
    network, variables, images = normed
    training = [seen(network, variables, images, jax.random.key(s), train=True) for s in (0, 1)]
    assert np.mean(training[0].output == training[1].output) < 0.5
    # Half of the features are dropped, and doubled; none outside of training.
    dropped = np.mean(training[0].features == 0) - np.mean(seen(*normed, None).features == 0)
    assert dropped > 0.15


def of_channels(x, train, dropout):
    """What enters the dense layer of `Through`, an identity: `[B, H * W, C]`."""
    channels = x.shape[-1]
    params = {
        "conv": {"kernel": np.eye(channels)[None, None]},
        "dense": layer(np.ones((x[0].size, 1))),
    }
    got = seen(Through(), {"params": params}, x, jax.random.key(2), train, dropout)
    return np.asarray(got.features).reshape(len(x), -1, channels)


@pytest.mark.parametrize("train", [False, True])
def test_convolutions_lose_whole_channels(train):
    """Of 64 units of a channel half go before the dense layer: all or none before a convolution."""
    features = of_channels(np.ones((3, 8, 8, 16), np.float32), train, WITH_INPUTS)
    assert set(np.unique(features)) == {0, 4}  # what stays is divided by .5, twice
    share = (features == 0).mean(1)  # [B, C]
    gone = share == 1
    assert 0.2 < gone.mean() < 0.8
    assert np.all(share[~gone] < 0.8) and np.all(share[~gone] > 0.2)
    alike = np.array_equal(features[0], features[1]) and np.array_equal(features[0], features[2])
    assert alike is not train
    assert np.array_equal(gone[0], gone[1]) is not train


def test_what_enters_the_first_layer_stays_unless_asked():
    features = of_channels(np.ones((2, 8, 8, 16), np.float32), False, HALF)
    assert set(np.unique(features)) == {0, 2}
    assert np.all((features == 0).mean(1) < 0.8)
    # The only layer of a linear network is its first.
    x, variables = np.ones((2, 50), np.float32), {"params": {"Dense_0": layer(np.ones((50, 1)))}}
    key = jax.random.key(0)
    same(seen(MLP((1,)), variables, x, key, dropout=HALF).features, x)
    assert set(np.unique(seen(MLP((1,)), variables, x, key, dropout=WITH_INPUTS).features)) == {
        0,
        2,
    }


def test_layers_lose_different_units():
    """Of two masks in a row a quarter is left, of one mask twice a half."""
    eye = layer(np.eye(400))
    variables = {"params": {"Dense_0": eye, "Dense_1": eye, "Dense_2": layer(np.ones((400, 1)))}}
    x = np.ones((1, 400), np.float32)
    got = seen(MLP((400, 400, 1)), variables, x, jax.random.key(0), dropout=HALF)
    assert abs(np.mean(got.features > 0) - 0.25) < 0.09  # four standard deviations
    assert set(np.unique(got.features)) == {0, 4}


class NoDense(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x


class OneNumber(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(x)[:, 0]


@pytest.mark.parametrize("network", [NoDense(), OneNumber()])
def test_refusals(network):
    x = np.ones((3, 2), np.float32)
    shape = r"\[3, 2\]" if isinstance(network, NoDense) else r"\[3\]"
    message = f"network: {type(network).__name__} is not allowed; .* give .B, D., not {shape}"
    with pytest.raises(ValueError, match=message):
        look(network, {"params": {"Dense_0": layer(np.ones((2, 1)))}}, x)
