"""An image takes on a texture: what is descended, by hand, and that it falls."""

import jax
import numpy as np
import optax
import pytest
from systems.counterfactual.generation import tiny

from icm_jax.systems.counterfactual import losses, style
from icm_jax.systems.counterfactual.networks import vgg


@pytest.fixture(autouse=True)
def few_channels(monkeypatch):
    monkeypatch.setattr(style.vgg16, "load", lambda *arguments: tiny.vgg_weights())


def stripes(size, period=4):
    """Red and black, uint8."""
    image = np.zeros((size, size, 3), np.uint8)
    image[:, np.arange(size) % period < period // 2, 0] = 255
    return image


def noise(*shape):
    return np.random.RandomState(0).randint(0, 256, (*shape, 3)).astype(np.uint8)


def test_the_distance_falls_and_the_shape_stays():
    image, texture = noise(20, 24), stripes(16)
    before = style.style_distance(image, texture)
    made = style.stylize(image, texture, steps=30)
    assert made.shape == image.shape and made.dtype == np.uint8
    assert style.style_distance(made, texture) < 0.7 * before
    np.testing.assert_array_equal(style.stylize(image, texture, steps=0), image)


def test_each_image_takes_on_its_own_texture():
    images, textures = (
        np.stack([noise(16, 16)] * 2),
        np.stack([stripes(16), stripes(16)[..., ::-1]]),
    )
    made = style.stylize(images, textures, steps=2)
    for image, texture, together in zip(images, textures, made, strict=True):
        alone = style.stylize(image, texture, steps=2)
        assert np.abs(alone.astype(int) - together).mean() < 0.1
    assert np.abs(made[0].astype(int) - made[1]).mean() > 1


def test_a_step_is_that_of_adam_down_the_gram_distance():
    image, texture = noise(16, 16), stripes(32)
    signed = [of[None].astype(np.float32) / 255 * 2 - 1 for of in (image, texture)]
    network = tiny.vgg_weights()

    def distance(pixels):
        ours, theirs = (vgg.features(network, of, 2) for of in (pixels, signed[1]))
        return losses.gram_distance(ours, theirs, (0.3, 0.2)).sum()

    value, gradient = jax.jit(jax.value_and_grad(distance))(signed[0])
    adam = optax.adam(0.1)
    update, _ = adam.update(gradient, adam.init(signed[0]))
    wanted = np.clip(signed[0] + np.asarray(update), -1, 1)[0]
    weights = (0.3, 0.2, 0.0, 0.0)
    made = style.stylize(image, texture, steps=1, rate=0.1, weights=weights)
    assert np.abs(made - (wanted + 1) * 127.5).max() <= 1
    before = style.style_distance(image, texture, weights)
    np.testing.assert_allclose(before, [value], rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image": noise(8, 20)},
            r"^image: an array of shape \(8, 20, 3\) is not allowed; it must",
        ),
        ({"texture": noise(16, 16) / 100}, "^texture: values from .* are not allowed; floats must"),
        ({"texture": noise(3, 16, 16)}, r"^texture: 3 for 1 image\(s\) are not allowed; it must"),
        ({"weights": (0.0,) * 4}, "^weights: .* are not allowed; one must be above 0"),
    ],
)
def test_what_cannot_be_stylized_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        style.stylize(**{"image": noise(16, 16), "texture": noise(16, 16), **changes})
