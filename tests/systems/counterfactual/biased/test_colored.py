import jax
import numpy as np
import pytest
from systems.counterfactual.biased.digits import blank, settings, splits, with_pixel

from icm_jax.data import Splits
from icm_jax.systems.counterfactual import biased

KEY = jax.random.key(0)


def render(made, split):
    """All images of a split, not compiled: a few."""
    return np.array(made.render(split.parts, made.shared, KEY))


def with_ink(train=24, test=12):
    """Images of which the pixel 0, 0 is ink, and another is just too dark for it."""
    return Splits(
        *(with_pixel(with_pixel(split, 0, 0, 129), 9, 9, 128) for split in splits(train, test))
    )


def test_a_digit_has_its_color_on_black():
    made = biased.make(settings(variance=0.0), with_ink(), 0)
    images = render(made, made.train)
    assert images.shape == (24, 32, 32, 3) and images.dtype == np.float32
    # Digits 0 are crimson: 220 / 255 * 2 - 1, ...; Pillow takes pixel 0, 0 for pixel 0, 0 alone.
    np.testing.assert_allclose(images[0, 0, 0], [0.72549, -0.843137, -0.529412], atol=1e-5)
    images[:, 0, 0] = -1
    np.testing.assert_array_equal(images, np.full_like(images, -1))
    assert (made.classes, made.size, made.shared) == (10, 32, {})


def test_attributes_say_whose_color_an_image_has():
    made = biased.make(settings(), with_ink(600, 600), 3)
    for split in (made.train, made.test):
        attributes = split.attributes
        assert set(attributes) == {"foreground", "foreground_color"}
        assert attributes["foreground"].dtype == split.labels.dtype == np.int32
        color = attributes["foreground_color"]
        assert color.dtype == np.float32
        np.testing.assert_allclose(render(made, split)[:, 0, 0], 2 * color - 1, atol=1e-6)
        # Of class 0 red is 220 +- 36, less what would be above 255; of class 1 it is 0 and more.
        reds = [255 * color[attributes["foreground"] == k, 0].mean() for k in (0, 1)]
        assert 195 < reds[0] < 225 and 20 < reds[1] < 40
    np.testing.assert_array_equal(made.train.attributes["foreground"], made.train.labels)


@pytest.mark.parametrize("name", ["colored", "double_colored", "wildlife"])
def test_in_the_test_colors_have_nothing_to_do_with_the_class(name):
    data, whole = settings(set=name), splits(6000, 1000)
    made = biased.make(data, whole, 0)
    attributes = {
        key: values for key, values in made.test.attributes.items() if not key.endswith("_color")
    }
    assert len(attributes) == (1 if name == "colored" else 2)
    for whose in attributes.values():
        assert whose.dtype == np.int32
        # A tenth have their own: 100 +- 9.5 of 1000.
        assert 60 < (whose == made.test.labels).sum() < 140
        assert np.bincount(whose, minlength=10).min() > 60
    if len(attributes) == 2:
        assert 60 < (attributes["foreground"] == attributes["background"]).sum() < 140


@pytest.mark.parametrize("name", ["colored", "double_colored"])
def test_the_seed_makes_the_colors_and_the_train_images_do_not_matter_to_the_test(name):
    data, whole = settings(set=name), splits(600, 100)
    made = biased.make(data, whole, 0)
    again, other = (biased.make(data, whole, seed) for seed in (0, 1))
    for split in ("train", "test"):
        ours, same, theirs = (getattr(m, split).parts["foreground"] for m in (made, again, other))
        np.testing.assert_array_equal(ours, same)
        assert (ours != theirs).any(1).mean() > 0.95
    # With other labels to train on the test has the same colours.
    changed = whole._replace(train=whole.train._replace(labels=whole.train.labels[::-1]))
    relabelled = biased.make(data, changed, 0)
    for key, values in made.test.attributes.items():
        np.testing.assert_array_equal(values, relabelled.test.attributes[key])


def test_colored_digits_keep_the_published_splits():
    made = biased.make(settings(), Splits(blank(60), blank(20)), 0)
    assert (len(made.train.labels), len(made.test.labels)) == (60, 20)
    np.testing.assert_array_equal(made.test.labels, np.arange(20) % 10)
