import jax
import numpy as np
from systems.counterfactual.biased.digits import blank, settings, with_pixel

from icm_jax.data import Splits
from icm_jax.systems.counterfactual import biased


def test_a_digit_has_textures_inside_and_outside():
    whole = Splits(with_pixel(blank(60), 27, 27, 200), blank(5))
    made = biased.make(settings(set="wildlife"), whole, 0)
    assert (len(made.train.labels), len(made.test.labels)) == (50, 10)
    # Textures of one colour each: 10 k in objects, 100 + 10 k in backgrounds.
    plain = {
        name: np.repeat(10 * np.arange(10, dtype=np.uint8) + start, 156 * 156 * 3)
        for name, start in (("objects", np.uint8(0)), ("backgrounds", np.uint8(100)))
    }
    plain = {name: values.reshape(10, 156, 156, 3) for name, values in plain.items()}
    for split in (made.train, made.test):
        images = np.asarray(made.render(split.parts, plain, jax.random.key(0)))
        assert images.shape == (len(split.labels), 32, 32, 3) and images.dtype == np.float32
        pixels = np.rint((images + 1) * 127.5).astype(int)
        attributes = split.attributes
        # Torch takes pixel 27 for pixel 31 alone.
        np.testing.assert_array_equal(pixels[:, 31, 31, 0], 10 * attributes["foreground"])
        pixels[:, 31, 31] = pixels[:, 0, 0]
        expected = 100 + 10 * attributes["background"]
        np.testing.assert_array_equal(
            pixels, np.broadcast_to(expected[:, None, None, None], pixels.shape)
        )
    for name in ("foreground", "background"):
        np.testing.assert_array_equal(made.train.attributes[name], made.train.labels)


def test_crops_are_fresh_at_each_use():
    made = biased.make(settings(set="wildlife"), Splits(blank(60), blank(5)), 0)
    render = jax.jit(made.render)
    parts = {name: values[:8] for name, values in made.train.parts.items()}
    first, again, second = (render(parts, made.shared, jax.random.key(k)) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any((1, 2, 3)).all()
