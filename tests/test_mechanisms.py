import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import mechanisms

KEY = jax.random.key(0)


def spot(x, y, size=9):
    """A black image with one white pixel in column x, row y."""
    return jnp.zeros((size, size, 1)).at[y, x, 0].set(1.0)


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("translate_right", 8, 4),
        ("translate_left", 0, 4),
        ("translate_down", 4, 8),
        ("translate_up", 4, 0),
        ("translate_down_right", 8, 8),
        ("translate_down_left", 0, 8),
        ("translate_up_right", 8, 0),
        ("translate_up_left", 0, 0),
    ],
)
def test_translations_move_by_four_pixels(name, x, y):
    moved = mechanisms.build(name)(KEY, spot(4, 4))
    chex.assert_trees_all_equal(moved, spot(x, y))


def test_what_is_moved_out_is_lost_and_zeros_come_in():
    image = jnp.arange(1.0, 10.0).reshape(3, 3, 1)
    moved = mechanisms.build({"name": "translate", "dx": 1, "dy": -1})(KEY, image)
    chex.assert_trees_all_equal(moved[..., 0], jnp.array([[0, 4, 5], [0, 7, 8], [0, 0, 0.0]]))


def test_invert():
    inverted = mechanisms.build("invert")(KEY, jnp.array([[[0.0], [0.25], [1.0]]]))
    chex.assert_trees_all_close(inverted, jnp.array([[[1.0], [0.75], [0.0]]]))


def test_noise_has_the_stated_deviation_before_it_is_clipped():
    image = jnp.full((200, 200, 1), 0.5)
    small = mechanisms.build({"name": "noise", "std": 0.05})(KEY, image)
    np.testing.assert_allclose(small.std(), 0.05, rtol=0.03)
    noisy = mechanisms.build("noise")(KEY, image)
    # At 0.5 with standard deviation 0.5, one deviation to each side is cut: 2 * 15.87 %.
    cut = ((noisy == 0) | (noisy == 1)).mean()
    np.testing.assert_allclose(cut, 0.3173, atol=0.01)


def test_the_paper_has_ten_and_the_reproduction_three():
    assert len(mechanisms.PAPER) == 10
    assert set(mechanisms.THREE) < set(mechanisms.PAPER)


def test_apply_gives_each_image_its_own_mechanism_and_its_own_noise():
    bank = [mechanisms.build(name) for name in ("invert", "noise", "translate_right")]
    images = jnp.stack([spot(4, 4)] * 4)
    transformed = mechanisms.apply(bank, KEY, images, jnp.array([2, 0, 1, 1]))
    chex.assert_trees_all_equal(transformed[0], spot(8, 4))
    chex.assert_trees_all_equal(transformed[1], 1.0 - spot(4, 4))
    assert not np.array_equal(transformed[2], transformed[3])


def test_a_user_adds_one_in_three_lines():
    @mechanisms.register("mirror")
    def mirror(key, image):
        return image[:, ::-1]

    try:
        chex.assert_trees_all_equal(mechanisms.build("mirror")(KEY, spot(1, 2)), spot(7, 2))
    finally:
        mechanisms.unregister("mirror")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fog", "'fog' is not registered; choose from translate, invert, noise"),
        ("translate", "missing a required .*'dx'"),
        ({"name": "noise", "sigma": 1.0}, "unexpected keyword argument 'sigma'"),
        ({"std": 1.0}, "None is not registered"),
    ],
)
def test_errors_name_what_is_wrong(spec, message):
    with pytest.raises(ValueError, match=message):
        mechanisms.build(spec)


def test_labels():
    assert mechanisms.label("noise") == "noise"
    assert mechanisms.label({"name": "translate", "dx": 2, "dy": 0}) == "translate(dx=2, dy=0)"


def test_python_numbers_make_an_image_as_well():
    mechanisms.register("mine")(lambda key, image: jnp.where(image > 0.5, 1.0, 0.0))
    try:
        mechanisms.check(["mine"], (8, 8, 1))
    finally:
        mechanisms.unregister("mine")


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (lambda key, image: None, "NoneType"),
        (lambda key, image: image > 0, r"bool \(8, 8, 1\)"),
    ],
)
def test_what_a_mechanism_makes_must_be_an_image_of_float32(made, what):
    mechanisms.register("mine")(made)
    try:
        with pytest.raises(ValueError, match=f"^mechanisms: mine makes {what} of an image float32"):
            mechanisms.check(["mine"], (8, 8, 1))
    finally:
        mechanisms.unregister("mine")
