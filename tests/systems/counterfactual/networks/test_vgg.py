import jax
import numpy as np
import pytest
from systems.counterfactual.generators import convolve

from icm_jax.systems.counterfactual.networks import vgg

WIDTHS = (2, 3, 2, 4)


@pytest.fixture(scope="module")
def weights():
    """Random ones of a few channels."""
    rng, channels, found = np.random.default_rng(0), 3, {}
    for names, width in zip(vgg.BLOCKS, WIDTHS, strict=True):
        for name in names:
            found[name] = {
                "kernel": np.float32(rng.normal(0, 0.3, (3, 3, channels, width))),
                "bias": np.float32(rng.normal(0, 0.1, width)),
            }
            channels = width
    return found


@pytest.fixture(scope="module")
def images():
    return np.float32(np.random.default_rng(1).uniform(-1, 1, (2, 16, 16, 3)))


def run_block(x, names, weights):
    """Convolutions with zeros around, by a plain loop, each cut off below 0."""
    for name in names:
        kernel = weights[name]["kernel"].transpose(3, 2, 0, 1)
        x = convolve(x.transpose(0, 3, 1, 2), kernel).transpose(0, 2, 3, 1)
        x = np.maximum(x + weights[name]["bias"], 0)
    return x


def test_features_are_those_of_a_plain_loop(weights, images):
    found = jax.jit(lambda w, x: vgg.features(w, x, 4))(weights, images)
    x = images
    for number, names in enumerate(vgg.BLOCKS):
        if number:
            # The greatest of every two by two.
            x = x.reshape(2, x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).max((2, 4))
        x = run_block(x, names, weights)
        assert found[number].shape == (2, 16 >> number, 16 >> number, WIDTHS[number])
        np.testing.assert_allclose(found[number], x, atol=1e-5)


def test_there_are_ten_convolutions():
    # Of VGG16's thirteen the last three are in no published loss.
    assert [len(names) for names in vgg.BLOCKS] == [2, 2, 3, 3]


@pytest.mark.parametrize(
    ("layers", "blocks"),
    [
        ((0.05, 0.1, 0.01, 0), 3),
        ((0, 0.05, 0, 0.05), 4),
        ((0.0, 0.0, 0.0, 0.0), 0),
        ((), 0),
        ((1, 0), 1),
    ],
)
def test_no_block_is_run_after_the_last_that_counts(layers, blocks):
    assert vgg.blocks_needed(layers) == blocks


def test_features_of_fewer_blocks_need_only_their_weights(weights, images):
    few = {name: weights[name] for name in vgg.BLOCKS[0]}
    (found,) = vgg.features(few, images, 1)
    np.testing.assert_allclose(found, run_block(images, vgg.BLOCKS[0], weights), atol=1e-5)
    assert vgg.features({}, images, 0) == []


def test_weights_get_a_gradient_where_it_is_asked_for_alone(images):
    rng = np.random.default_rng(2)
    wide = {
        name: {
            "kernel": np.float32(rng.normal(0, 0.1, (3, 3, taken, 16))),
            "bias": np.zeros(16, np.float32),
        }
        for name, taken in zip(vgg.BLOCKS[0], (3, 16), strict=True)
    }

    def convolutions(arguments):
        gradient = jax.grad(lambda x, w: vgg.features(w, x, 1)[0].sum(), arguments)
        compiled = jax.jit(gradient).lower(images, wide).compile()
        return compiled.as_text().count(" convolution("), compiled(images, wide)

    # The second layer forward and back to its inputs; and back to both kernels. The first, of three
    # channels, is none of the others on a CPU (icm_jax.networks.thin).
    assert convolutions(0)[0] == 2
    count, (_, asked) = convolutions((0, 1))
    assert count == 4
    assert all(abs(leaf).max() > 0 for leaf in jax.tree.leaves(asked))
