"""The lab's networks against the lab's table."""

import jax
import jax.numpy as jnp
import pytest

from icm_jax.systems.risk.networks.lab import LabClassifier, LabDecoder


def count(network, *shape):
    variables = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, *shape)))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        # Convolutions 912, 7224, 10416, 31176, 62304; batch norm 2 * 252; dense layers 384 * 512
        # + 512 and 513.
        ((64, 64, 3), 912 + 7224 + 10416 + 31176 + 62304 + 504 + 197120 + 513),
        # Two colours fewer, 5 * 5 * 12 each; one place instead of four.
        ((32, 32, 1), 310169 - 2 * 300 - 3 * 96 * 512),
    ],
)
def test_the_classifier_has_the_parameters_of_the_lab(shape, parameters):
    assert count(LabClassifier(), *shape) == parameters


def test_the_decoder_has_the_parameters_of_the_lab():
    # Dense 32 * 384 + 384; 96 -> 72 -> 48 -> 24 by 3x3, -> 12 -> 3 by 5x5.
    parts = 12672, 62280, 31152, 10392, 7212, 903
    assert count(LabDecoder(64, 3), 32) == sum(parts) == 124611


@pytest.mark.parametrize(("size", "channels"), [(32, 1), (64, 3)])
def test_the_decoder_gives_images(size, channels):
    decoder = LabDecoder(size, channels)
    made = jax.eval_shape(decoder.init_with_output, jax.random.key(0), jnp.zeros((2, 5)))[0]
    assert made.shape == (2, size, size, channels)
