import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import data


def ramp(count=256):
    """Image i is 1x1 and holds the value i."""
    return jnp.arange(count, dtype=jnp.uint8).reshape(count, 1, 1, 1)


def pool(*index, count=None):
    return data.Pool(np.array(index, np.int32), np.int32(len(index) if count is None else count))


def test_draw_is_compiled_float_and_in_range():
    images = jnp.zeros((10, 4, 3, 2), jnp.uint8).at[5:].set(255)
    draw = jax.jit(data.draw, static_argnums=3)
    batch = draw(jax.random.key(0), images, pool(*range(10)), 64)
    assert batch.shape == (64, 4, 3, 2)
    assert batch.dtype == jnp.float32
    assert sorted(set(np.asarray(batch).ravel().tolist())) == [0.0, 1.0]


def test_draw_depends_on_the_key_alone():
    everything = pool(*range(256))
    first, again, other = (data.draw(jax.random.key(k), ramp(), everything, 32) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_draw_takes_the_images_at_the_indices_of_its_key():
    key, everything = jax.random.key(7), pool(*range(256))
    indices = data.draw_indices(key, everything, 32)
    assert indices.dtype == jnp.int32
    drawn = data.draw(key, ramp(), everything, 32).ravel() * 255
    np.testing.assert_array_equal(jnp.round(drawn).astype(jnp.int32), indices)


def test_indices_are_uniform():
    counts = np.bincount(data.draw_indices(jax.random.key(0), pool(*range(10)), 100_000))
    assert len(counts) == 10
    # Each count is binomial with mean 10,000 and standard deviation 95; 5 of them to each side.
    assert np.abs(counts - 10_000).max() < 475


def test_batch_may_be_larger_than_the_pool_and_holds_nothing_beside_it():
    indices = data.draw_indices(jax.random.key(0), pool(7, 2, 9, 4, 1, count=3), 50)
    assert set(indices.tolist()) == {7, 2, 9}


def test_what_is_behind_the_count_does_not_change_what_is_drawn():
    key, draw = jax.random.key(3), jax.jit(data.draw_indices, static_argnums=2)
    exact = data.draw_indices(key, pool(5, 6, 7), 40)
    np.testing.assert_array_equal(draw(key, pool(5, 6, 7, 0, 1, count=3), 40), exact)
    # As if the images were an array of their own.
    np.testing.assert_array_equal(exact - 5, jax.random.randint(key, (40,), 0, 3))


def test_to_float_of_known_values():
    found = data.to_float(jnp.array([0, 51, 255], jnp.uint8))
    np.testing.assert_allclose(found, [0.0, 0.2, 1.0], atol=1e-7)


def test_to_bytes_of_known_values():
    found = data.to_bytes(np.float32([-0.1, 0, 0.1, 0.2, 1, 1.002, 1.5]))  # 0.1 is 25.5 of 255
    assert found.dtype == np.uint8 and found.tolist() == [0, 0, 26, 51, 255, 255, 255]


def test_to_float_refuses_floats():
    with pytest.raises(AssertionError):
        data.to_float(jnp.zeros(3))


def test_pad_keeps_the_image_in_the_middle():
    padded = data.pad(jnp.ones((5, 28, 28, 1), jnp.uint8), 32)
    assert padded.shape == (5, 32, 32, 1)
    assert padded.dtype == jnp.uint8
    np.testing.assert_array_equal(padded[:, 2:30, 2:30], 1)
    assert padded.sum() == 5 * 28 * 28


def test_pad_of_an_odd_margin_and_any_leading_axes():
    # Height 2 -> 3: one row below. Width 1 -> 3: one column on each side.
    padded = data.pad(jnp.ones((2, 1), jnp.float32)[..., None], 3)
    np.testing.assert_array_equal(padded[..., 0], [[0, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert data.pad(jnp.ones((4, 6, 2, 1, 1)), 3).shape == (4, 6, 3, 3, 1)


def test_pad_to_nothing_keeps_the_images():
    images = np.ones((1, 4, 5, 1), np.uint8)
    assert data.pad(images, 0) is images


def test_pad_to_less():
    with pytest.raises(ValueError, match="data.pad: 16 is less than the images' 28x20"):
        data.pad(jnp.zeros((1, 28, 20, 1)), 16)


def test_shift_moves_whole_images_by_all_amounts():
    images = jnp.zeros((400, 5, 4, 2), jnp.uint8).at[:, 2, 1].set(jnp.array([7, 9], jnp.uint8))
    moved = np.asarray(jax.jit(data.shift, static_argnums=2)(jax.random.key(0), images, 1))
    assert moved.dtype == np.uint8 and moved.shape == images.shape
    places = {tuple(p) for p in np.argwhere(moved[..., 0] == 7)[:, 1:]}
    assert places == {(row, column) for row in (1, 2, 3) for column in (0, 1, 2)}
    assert (moved[..., 0] == 7).sum() == 400 == (moved[..., 1] == 9).sum()
    assert (moved > 0).sum() == 800
    np.testing.assert_array_equal(data.shift(jax.random.key(0), images, 0), images)
