import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.networks.discriminators import (
    ConvDiscriminator,
    LinearDiscriminator,
    ProjectionDiscriminator,
)


def sizes(tree):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def shapes(module, size=32):
    images = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
    labels = jax.ShapeDtypeStruct((2,), jnp.int32)
    return jax.eval_shape(
        lambda images, labels: module.init_with_output(jax.random.key(0), images, labels),
        images,
        labels,
    )


def test_linear_has_the_published_layers():
    scores, variables = shapes(LinearDiscriminator(10))
    assert scores.shape == (2,)
    # Ten embeddings of 10 beside 3 * 32 * 32 pixels; three layers of 512 and one of 1.
    hidden = (3072 + 10 + 1) * 512 + 2 * (512 + 1) * 512
    assert sizes(variables["params"]) == 100 + hidden + 512 + 1 == 2_104_421
    assert set(variables) == {"params"}


def test_conv_has_the_published_layers():
    scores, variables = shapes(ConvDiscriminator(10))
    assert scores.shape == (2,)
    kernels = 9 * 4 * 32 + 9 * 32 * 64 + 16 * 64 * 128 + 16 * 128 * 128 + 128
    norms = 32 + 64 + 128 + 128
    assert sizes(variables["params"]) == 10 + kernels + 2 * norms == 413_642
    assert sizes(variables["batch_stats"]) == 2 * norms
    assert shapes(ConvDiscriminator(10), 64)[0].shape == (2,)


@pytest.fixture(scope="module")
def linear():
    module = LinearDiscriminator(4, width=64)
    images = jax.random.uniform(jax.random.key(0), (3, 8, 8, 3), minval=-1.0)
    variables = jax.jit(module.init)(jax.random.key(1), images, jnp.arange(3))
    return module, variables, images


def test_linear_begins_as_pytorch_does(linear):
    _, variables, _ = linear
    params = variables["params"]
    # Kernels and biases are uniform within 1 / sqrt(inputs): 3 * 64 pixels and 10 numbers, 64, ...
    for name, inputs in (("Dense_0", 202), ("Dense_1", 64), ("Dense_2", 64), ("Dense_3", 64)):
        for leaf in params[name].values():
            assert abs(leaf).max() <= inputs**-0.5
        # The standard deviation of a uniform distribution is its bound by the root of 3.
        spread = params[name]["kernel"].std() * (3 * inputs) ** 0.5
        np.testing.assert_allclose(spread, 1, atol=0.2)
    assert 0.5 < params["Embed_0"]["embedding"].std() < 1.5


def test_linear_by_hand(linear):
    module, variables, images = linear
    labels = jnp.array([3, 0, 3])
    params = jax.tree.map(np.asarray, variables["params"])
    x = np.concatenate(
        [np.asarray(images).reshape(3, -1), params["Embed_0"]["embedding"][labels]], axis=1
    )
    for number in range(4):
        layer = params[f"Dense_{number}"]
        x = x @ layer["kernel"] + layer["bias"]
        if number < 3:
            x = np.where(x > 0, x, 0.2 * x)
    np.testing.assert_allclose(module.apply(variables, images, labels), x[:, 0], atol=1e-5)


def test_linear_drops_in_training_alone(linear):
    module, variables, images = linear
    labels = jnp.arange(3)
    first, second = (
        module.apply(variables, images, labels, train=True, rngs={"dropout": jax.random.key(seed)})
        for seed in (0, 1)
    )
    assert (first != second).all()


def test_conv_sees_the_label_and_learns_statistics():
    module = ConvDiscriminator(4, width=2)
    image = jax.random.uniform(jax.random.key(0), (32, 32, 3), minval=-1.0)
    images, labels = jnp.stack([image] * 2), jnp.array([0, 1])
    variables = jax.jit(module.init)(jax.random.key(1), images, labels)
    apply = jax.jit(lambda v: module.apply(v, images, labels, train=True, mutable=["batch_stats"]))
    scores, updates = apply(variables)
    assert scores[0] != scores[1]
    before, after = variables["batch_stats"], updates["batch_stats"]
    assert all((a != b).all() for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True))


@pytest.fixture(scope="module")
def projection():
    module = ProjectionDiscriminator(4, width=2)
    images = jax.random.uniform(jax.random.key(0), (3, 8, 8, 3), minval=-1.0)
    variables = jax.jit(module.init)(jax.random.key(1), images, jnp.arange(3))
    return module, variables, images


def test_projection_by_hand(projection):
    """The score is a linear one of the last layer's outputs and their product with the label's."""
    module, variables, images = projection
    labels = jnp.array([3, 0, 3])
    names = ("Conv_0", "Conv_1", "Conv_2", "Dense_0", "Dense_1", "Dense_2")
    layers = {}
    for number, name in enumerate(names):
        sigma = variables["batch_stats"][f"SpectralNorm_{number}"][f"{name}/kernel/sigma"]
        layer = variables["params"][name]
        layers[name] = layer["kernel"] / sigma, np.asarray(layer.get("bias", 0))

    def leaky(x, bias):
        x = np.asarray(x) + bias
        return np.where(x > 0, x, 0.2 * x)

    x, axes = np.asarray(images), ("NHWC", "HWIO", "NHWC")
    for name in names[:3]:
        kernel, bias = layers[name]
        x = leaky(
            jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=axes), bias
        )
    x = leaky(x.reshape(3, -1) @ np.asarray(layers["Dense_0"][0]), layers["Dense_0"][1])
    plain = x @ np.asarray(layers["Dense_2"][0]) + layers["Dense_2"][1]
    wanted = plain[:, 0] + (x * np.asarray(layers["Dense_1"][0])[labels]).sum(axis=1)
    np.testing.assert_allclose(module.apply(variables, images, labels), wanted, atol=1e-5)


def test_projections_kernels_come_to_spectral_norm_1(projection):
    module, variables, images = projection
    big = jax.tree.map(lambda x: 5 * x, variables["params"])
    variables = {**variables, "params": big}
    step = jax.jit(lambda v: module.apply(v, images, jnp.arange(3), True, mutable=["batch_stats"]))
    for _ in range(30):
        variables = {**variables, **step(variables)[1]}
    kernel = np.asarray(big["Dense_0"]["kernel"])
    sigma = variables["batch_stats"]["SpectralNorm_3"]["Dense_0/kernel/sigma"]
    np.testing.assert_allclose(sigma, np.linalg.norm(kernel, 2), rtol=1e-3)


@pytest.mark.parametrize("kind", [ConvDiscriminator, ProjectionDiscriminator])
def test_scores_are_float32_whatever_is_computed_in(kind):
    module = kind(3, 2, compute=Compute("bfloat16"))
    arguments = jnp.zeros((2, 32, 32, 3)), jnp.zeros(2, jnp.int32)
    scores, _ = jax.eval_shape(module.init_with_output, jax.random.key(0), *arguments)
    assert scores.dtype == jnp.float32
