"""How the classifier of stable features sees images in training and out of it."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from systems.stable_features import tiny

from icm_jax.supervised import Parameters
from icm_jax.systems.stable_features.model import Model, make_apply_batched, make_model
from icm_jax.systems.stable_features.networks.features import Outputs


class Mirror(nn.Module):
    """Gives back what it sees."""

    def __call__(self, images, train=False):
        return Outputs(images.reshape(len(images), -1), images)


NOTHING = Parameters({}, {})


def mirror(channels=0, shift=0):
    return Model(Mirror(), channels, Mirror(), shift)


def points(outputs):
    """Where the one bright pixel of each image is, relative to the middle of 7x7."""
    found = np.argwhere(np.asarray(outputs.features)[..., 0] == 1)
    np.testing.assert_array_equal(found[:, 0], np.arange(len(found)))
    return found[:, 1:] - 3


@pytest.mark.parametrize("most", [0, 1, 2])
def test_images_are_moved_in_training_alone(most):
    images, channel = np.zeros((200, 7, 7, 1), np.uint8), np.zeros(200, np.int32)
    images[:, 3, 3] = 255
    model = mirror(shift=most)
    moved = points(model.learn(NOTHING, images, channel, jax.random.key(0))[0])
    # All moves occur among so many.
    assert len(moved) == 200 and len(np.unique(moved, axis=0)) == (2 * most + 1) ** 2
    assert np.abs(moved).max() == most
    assert (points(model.use(NOTHING, images, channel)) == 0).all()


@pytest.mark.parametrize("most", [0, 2])
def test_the_config_says_how_far_images_are_moved(most):
    config = tiny.stable_features()
    config.shift = most
    assert make_model(config, 4, 4).shift == most


def test_any_number_of_images_is_put_through_in_order():
    apply_batched = make_apply_batched(mirror(channels=3))
    for count in (1, 499, 500, 501, 1203):
        # No two images are alike: their numbers in two digits, neither of them 0.
        number = np.arange(count)
        images = np.stack([number // 200, number % 200], axis=1).astype(np.uint8) + 1
        channel = (number % 3).astype(np.int32)
        outputs = apply_batched(NOTHING, images.reshape(count, 2, 1, 1), channel)
        expected = np.zeros((count, 2, 1, 3), np.float32)
        expected[number, :, 0, channel] = images / 255
        np.testing.assert_allclose(outputs.features, expected, rtol=1e-6)
        np.testing.assert_allclose(outputs.logits, expected.reshape(count, -1), rtol=1e-6)
