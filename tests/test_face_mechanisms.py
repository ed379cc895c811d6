import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import mechanisms

KEY = jax.random.key(0)


def image(channels, height=28, width=28):
    return jax.random.uniform(jax.random.key(1), (height, width, channels), minval=0.3, maxval=0.7)


def changed(spec, x):
    """bool `[H, W]`: the pixels that a mechanism changes."""
    return np.asarray(mechanisms.build(spec)(KEY, x) != x).any(axis=-1)


def even(value=0.5, channels=1, size=20):
    return jnp.full((size, size, channels), value)


@pytest.mark.parametrize("shape", [(28, 28, 3), (28, 28, 1), (64, 64, 3), (17, 30, 3)])
@pytest.mark.parametrize("name", mechanisms.FACES)
def test_all_keep_shape_type_and_range(name, shape):
    if name == "colour_cast":
        shape = (*shape[:2], 3)
    x = jax.random.uniform(jax.random.key(2), shape)
    y = mechanisms.build(name)(KEY, x)
    assert y.shape == x.shape and y.dtype == jnp.float32
    assert y.min() >= 0 and y.max() <= 1
    assert jnp.abs(y - x).max() > 0.1
    # What is said to stay does.
    assert not (np.asarray(y != x).any(axis=-1) & ~mechanisms.region(name, *shape[:2])).any()


@pytest.mark.parametrize("name", ["mouth_mask", "dark_glasses"])
@pytest.mark.parametrize("size", [28, 64])
def test_covers_change_their_region_and_lie_alike_at_every_size(name, size):
    region = mechanisms.region(name, size, size)
    np.testing.assert_array_equal(changed(name, image(3, size, size)), region)
    share = mechanisms.region(name, 200, 200).mean()
    assert region.mean() == pytest.approx(share, rel=0.12)
    np.testing.assert_array_equal(region, region[:, ::-1])


def test_a_mask_covers_the_mouth_and_not_the_eyes():
    region = mechanisms.region("mouth_mask", 100, 100)
    assert region[68, 50] and region[68, 35] and region[88, 50] and region[50, 50]
    assert not region[:48].any() and not region[68, 5] and not region[95, 10]
    masked = mechanisms.build({"name": "mouth_mask", "brightness": 0.9})(KEY, even(size=100))
    np.testing.assert_allclose(masked[68, 50], 0.9)
    lower = {"name": "mouth_mask", "top": 0.6}
    assert not mechanisms.region(lower, 100, 100)[:60].any()


def test_glasses_cover_both_eyes_and_what_is_between_them():
    region = mechanisms.region("dark_glasses", 100, 100)
    assert region[28, 28] and region[28, 72] and region[28, 50] and region[36, 28]
    assert not region[36, 50] and not region[45:].any() and not region[28, 5]
    dark = mechanisms.build("dark_glasses")(KEY, even(size=100))
    np.testing.assert_allclose(dark[28, 28], 0.05)
    lower = {"name": "dark_glasses", "eyes": 0.45}
    assert mechanisms.region(lower, 100, 100)[45, 28]


def test_light_falls_to_the_other_side_and_can_be_undone():
    x = image(3)
    lit = mechanisms.build("light_left")(KEY, x)
    # Middles of the first and last of 28 columns are 1/56 from the edges; 1 falls to 0.2.
    np.testing.assert_allclose(lit[:, 0] / x[:, 0], 1 - 0.8 / 56, rtol=1e-5)
    np.testing.assert_allclose(lit[:, -1] / x[:, -1], 0.2 + 0.8 / 56, rtol=1e-5)
    mirrored = mechanisms.build("light_right")(KEY, x[:, ::-1])
    np.testing.assert_allclose(mirrored[:, ::-1], lit, rtol=1e-6)
    factor = 1 - 0.8 * (np.arange(28) + 0.5) / 28
    np.testing.assert_allclose(lit / factor[None, :, None], x, rtol=1e-5)


def test_blur_is_a_gaussian_average():
    spot = jnp.zeros((21, 21, 1)).at[10, 10, 0].set(1.0)
    blurred = np.asarray(mechanisms.build({"name": "blur", "radius": 0.1})(KEY, spot))[..., 0]
    # A deviation of 2.1 pixels: neighbours are exp(-1 / (2 * 2.1**2)) of the middle.
    np.testing.assert_allclose(blurred[10, 11] / blurred[10, 10], np.exp(-0.5 / 2.1**2), rtol=1e-4)
    np.testing.assert_allclose(blurred[11, 10], blurred[10, 11], rtol=1e-6)
    assert blurred.sum() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(mechanisms.build("blur")(KEY, even(0.7)), 0.7, rtol=1e-5)
    wide = mechanisms.build("blur")(KEY, jax.random.uniform(KEY, (64, 64, 1)))
    assert wide.std() < 0.05  # That of the noise is 0.29.


def test_exposure_doubles_or_halves_with_every_stop():
    dark = mechanisms.build({"name": "exposure", "stops": -2})(KEY, even(0.8))
    np.testing.assert_allclose(dark, 0.2)
    bright = mechanisms.build({"name": "exposure", "stops": 1})(KEY, jnp.array([[[0.3], [0.8]]]))
    np.testing.assert_allclose(bright.ravel(), [0.6, 1.0], rtol=1e-6)


def test_a_colour_cast_scales_the_channels_and_refuses_grey():
    cast = mechanisms.build("colour_cast")(KEY, even(0.5, channels=3))
    np.testing.assert_allclose(cast[3, 4], [0.5, 0.35, 0.2], rtol=1e-6)
    with pytest.raises(ValueError, match="colour_cast needs 3 channels, but images have 1"):
        mechanisms.build("colour_cast")(KEY, even())


def test_upside_down_twice_is_the_image():
    x = image(3, 4, 6)
    turned = mechanisms.build("upside_down")(KEY, x)
    np.testing.assert_array_equal(turned[0, 0], x[3, 5])
    np.testing.assert_array_equal(mechanisms.build("upside_down")(KEY, turned), x)


def test_a_region_is_everything_where_nothing_is_said():
    assert mechanisms.region("blur", 3, 4).tolist() == [[True] * 4] * 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("colour_cast", "mechanisms: colour_cast: colour_cast needs 3 channels"),
        ({"name": "blur", "radius": 0}, r"mechanisms: blur\(radius=0\): radius: 0 is not allowed"),
        ("half", r"mechanisms: half makes float32 \(4, 8, 1\) of an image float32 \(8, 8, 1\)"),
    ],
)
def test_what_does_not_suit_images_is_found_before_any_work(spec, message):
    mechanisms.register("half")(lambda key, image: image[::2])
    try:
        with pytest.raises(ValueError, match=message):
            mechanisms.check(["invert", spec], (8, 8, 1))
    finally:
        mechanisms.unregister("half")
    mechanisms.check(mechanisms.FACES, (8, 8, 3))
