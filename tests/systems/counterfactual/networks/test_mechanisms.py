import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.counterfactual import generators

from icm_jax.systems.counterfactual.networks.mechanisms import (
    Each,
    Mechanisms,
    Settings,
    TextureMechanism,
    doublings,
)
from icm_jax.systems.counterfactual.weights import authors


def sizes(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_parameters_are_as_many_as_published():
    variables = generators.published_shapes()
    params = variables["params"]
    # 32 numbers of noise and 10 of the label to 64 channels of 8 by 8.
    start = (42 + 1) * 64 * 64
    shape = start + 9 * 64 * 32 + 9 * 32 * 1 + 2 * (32 + 1)
    texture = start + 9 * 64 * 64 + 9 * 64 * 32 + (9 * 32 * 3 + 3) + 2 * (64 + 32 + 3)
    assert sizes(params["labels"]) == 100
    assert sizes(params["shape"]) == shape == 194_914
    assert sizes(params["foreground"]) == sizes(params["background"]) == texture == 232_489
    assert sizes(params) == 659_992
    assert sizes(variables["batch_stats"]) == 2 * (32 + 1) + 4 * (64 + 32 + 3) == 462


@pytest.fixture(scope="module")
def small():
    return generators.small()


def test_mechanisms_are_the_published_layers(small):
    module, variables = small
    noise, labels = generators.inputs()
    found = jax.jit(module.apply)(variables, noise, labels)
    assert found.mask.shape == (3, 32, 32, 1)
    assert found.foreground.shape == found.background.shape == (3, 32, 32, 3)
    arrays = authors.to_authors(variables)
    for ours, name, u, y in zip(
        found, ("f_shape", "f_text1", "f_text2"), noise, labels, strict=True
    ):
        theirs = generators.apply_published(arrays, name, np.asarray(u), np.asarray(y))
        np.testing.assert_allclose(ours, theirs.transpose(0, 2, 3, 1), atol=1e-4)


def test_each_mechanism_has_its_own_noise_and_label(small):
    module, variables = small
    noise, labels = generators.inputs()
    apply = jax.jit(module.apply)
    before = apply(variables, noise, labels)
    other = apply(variables, noise._replace(shape=noise.shape + 1), labels)
    assert (other.mask != before.mask).any()
    chex.assert_trees_all_equal(other[1:], before[1:])
    other = apply(variables, noise, labels._replace(background=(labels.background + 1) % 3))
    assert (other.background != before.background).any()
    chex.assert_trees_all_equal(other[:2], before[:2])


def test_batch_statistics_move_in_training_alone(small):
    module, variables = small
    apply = jax.jit(lambda v: module.apply(v, *generators.inputs(), True, mutable=["batch_stats"]))
    _, updates = apply(variables)
    before, after = variables["batch_stats"], updates["batch_stats"]
    chex.assert_trees_all_equal_shapes(before, after)
    assert all((a != b).all() for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True))


@pytest.mark.parametrize(("size", "convolutions"), [(32, 2), (64, 3), (128, 4)])
def test_larger_images_take_more_doublings(size, convolutions):
    module, inputs = Mechanisms(3, Settings(size, 2)), generators.inputs()
    found, variables = jax.eval_shape(module.init_with_output, jax.random.key(0), *inputs)
    assert doublings(size) == convolutions
    assert found.mask.shape == (3, size, size, 1) and found.foreground.shape == (3, size, size, 3)
    counts = {
        network: sum(name.startswith("Conv") for name in layers)
        for network, layers in variables["params"].items()
    }
    assert counts == {
        "labels": 0,
        "shape": convolutions,
        "foreground": convolutions + 1,
        "background": convolutions + 1,
    }


@pytest.mark.parametrize("size", [8, 16, 31, 48, 96, 256])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"^data.size: {size} is not allowed; it must be 32, 64"):
        doublings(size)


@pytest.mark.parametrize("kind", ["orthogonal", "normal"])
def test_initial_weights(kind):
    module = TextureMechanism(Settings(32, 8, kind, 0.2, 0.2))
    layers = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 4)))["params"]
    kernel = layers["Conv_0"]["kernel"].reshape(-1, 16)
    if kind == "orthogonal":
        # The 16 columns are at right angles and 0.2 long.
        np.testing.assert_allclose(kernel.T @ kernel, 0.2**2 * np.eye(16), atol=1e-5)
    else:
        np.testing.assert_allclose(kernel.std(), 0.2, rtol=0.1)
    scales = jnp.concatenate([layers[f"BatchNorm_{i}"]["scale"] for i in range(2)])
    assert 0.1 < scales.std() < 0.3 and abs(scales.mean() - 1) < 0.15
    assert all((layers[name]["bias"] == 0).all() for name in layers if "bias" in layers[name])


def test_other_ranks_are_refused(small):
    module, variables = small
    noise, labels = generators.inputs()
    with pytest.raises(AssertionError):
        module.apply(variables, Each(*[noise.shape[0]] * 3), labels)
    with pytest.raises(AssertionError):
        module.apply(variables, noise, Each(*[labels.shape[:, None]] * 3))
