import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.counterfactual.composition import clamp_mask, compose, roll, shuffle


def test_the_foreground_is_where_the_mask_is():
    # One image of two pixels: 3/4 of foreground and 1/4 of background, then background alone.
    mask = jnp.array([0.75, 0.0]).reshape(1, 1, 2, 1)
    foreground = jnp.array([[1.0, 0, -1], [1, 1, 1]]).reshape(1, 1, 2, 3)
    background = jnp.array([[-1.0, 0, 1], [0.5, 0, -0.5]]).reshape(1, 1, 2, 3)
    found = compose(mask, foreground, background)
    np.testing.assert_allclose(found[0, 0], [[0.5, 0, -0.5], [0.5, 0, -0.5]])


def test_other_shapes_are_refused():
    image = jnp.zeros((2, 4, 4, 3))
    with pytest.raises(AssertionError):
        compose(jnp.zeros((2, 4, 4)), image, image)
    with pytest.raises(AssertionError):
        compose(jnp.zeros((2, 4, 4, 1)), image, image[:1])


def test_masks_are_kept_from_0_and_1():
    found = clamp_mask(jnp.array([-2.7, 0.0, 0.5, 1.0, 15.3]))
    np.testing.assert_allclose(found, [1e-4, 1e-4, 0.5, 0.9999, 0.9999])
    slope = jax.vmap(jax.grad(clamp_mask))(jnp.array([-1.0, 0.5, 2.0]))
    np.testing.assert_array_equal(slope, [0, 1, 0])


def test_roll_by_hand():
    texture = jnp.arange(9).reshape(3, 3, 1)
    # From row 1 and column 2 on.
    expected = [[5, 3, 4], [8, 6, 7], [2, 0, 1]]
    np.testing.assert_array_equal(roll(texture, jnp.array([1, 2]))[..., 0], expected)


@pytest.mark.parametrize("offset", [(0, 0), (4, 0), (0, 4), (4, 4), (1, 3), (3, 4)])
def test_roll_is_the_published_crop_of_four_tiles(offset):
    texture = jax.random.normal(jax.random.key(0), (4, 4, 3))
    row, column = offset
    crop = np.tile(texture, (2, 2, 1))[row : row + 4, column : column + 4]
    found = roll(texture, jnp.array(offset))
    np.testing.assert_array_equal(found, crop)
    if not {*offset} - {0, 4}:
        np.testing.assert_array_equal(found, texture)


def test_shifts_are_uniform_and_independent():
    count, size = 20_000, 3
    # One bright pixel, at row and column 0; where it goes tells the offset.
    textures = jnp.zeros((count, size, size, 1)).at[:, 0, 0].set(1)
    found = shuffle(textures, jax.random.key(0)).mean(0)[..., 0]
    # Of offsets 0, 1, 2, 3 two are no shift; offset 1 moves the pixel to row 2, offset 2 to row 1.
    axis = np.array([2, 1, 1]) / 4
    # Four standard deviations of a share of 20,000.
    np.testing.assert_allclose(found, np.outer(axis, axis), atol=4 * 0.5 / count**0.5)


def test_shuffling_keeps_each_image_to_itself():
    textures = jnp.arange(5.0).reshape(5, 1, 1, 1) * jnp.ones((1, 4, 4, 3))
    np.testing.assert_array_equal(shuffle(textures, jax.random.key(0)), textures)
    drawn = jax.random.normal(jax.random.key(1), (5, 4, 4, 3))
    first, second = (shuffle(drawn, jax.random.key(seed)) for seed in (2, 3))
    assert (first != second).any()
    first, drawn = (np.sort(np.reshape(x, (5, 16, 3)), axis=1) for x in (first, drawn))
    np.testing.assert_array_equal(first, drawn)
