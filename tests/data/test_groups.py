import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.data import draw_balanced, draw_each, group

# Group 0 has images 1, 4; group 1 none; group 2 has images 0, 2, 5; image 3 has no group.
NUMBERS = np.array([2, 0, 2, -1, 0, 2])


def test_images_stand_group_by_group():
    groups = group(NUMBERS, 3)
    assert groups.index.tolist() == [1, 4, 0, 2, 5, 3]
    assert groups.start.tolist() == [0, 2, 2] and groups.count.tolist() == [2, 0, 3]
    assert {array.dtype for array in groups} == {np.dtype(np.int32)}


def test_groups_must_hold_their_images():
    with pytest.raises(ValueError, match="groups: 2 are too few for group number 2"):
        group(NUMBERS, 2)
    with pytest.raises(ValueError, match="no image is in any group"):
        group(np.array([-1, -1]), 2)


def test_every_group_gives_the_same_to_a_batch():
    groups = group(NUMBERS, 3)
    draw = jax.jit(draw_balanced, static_argnums=2)
    for seed in range(5):
        images, numbers = draw(jax.random.key(seed), groups, 8)
        assert np.bincount(numbers, minlength=3).tolist() == [4, 0, 4]
        assert (NUMBERS[images] == numbers).all()


def test_an_image_is_drawn_as_often_as_balance_wants():
    # Of 2 groups with 2 and 3 images: chances 1/4 each of the first two, 1/6 of the others.
    groups = group(NUMBERS, 3)
    images, _ = draw_balanced(jax.random.key(0), groups, 60_000)
    shares = np.bincount(images, minlength=6) / 60_000
    np.testing.assert_allclose(shares, [1 / 6, 1 / 4, 1 / 6, 0, 1 / 4, 1 / 6], atol=0.006)


def test_the_odd_one_goes_to_any_group():
    groups = jax.tree.map(jnp.asarray, group(NUMBERS, 3))
    keys = jax.random.split(jax.random.key(0), 400)
    _, numbers = jax.vmap(lambda key: draw_balanced(key, groups, 1))(keys)
    shares = np.bincount(numbers[:, 0], minlength=3) / 400
    np.testing.assert_allclose(shares, [0.5, 0, 0.5], atol=0.08)


def test_each_group_gives_its_own():
    images = draw_each(jax.random.key(0), group(NUMBERS, 3), 50)
    assert images.shape == (3, 50) and images.dtype == jnp.int32
    assert set(np.asarray(images[0]).tolist()) == {1, 4}
    assert set(np.asarray(images[2]).tolist()) == {0, 2, 5}
