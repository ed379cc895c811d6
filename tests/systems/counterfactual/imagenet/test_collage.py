import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.counterfactual.imagenet.collage import (
    Collage,
    make_collages,
    resize_bicubic,
)


def test_bicubic_is_pytorchs():
    # By two, pixel 2 lies a quarter behind pixel 1 of those before: Keys' weights for -0.75 are
    # -27/256, 225/256, 67/256, -9/256 of pixels 0, 1, 2, 3, in one direction and in the other.
    weights = np.array([-27, 225, 67, -9]) / 256
    row = jnp.array([1.0, 3.0, -2.0, 4.0])
    images = jnp.broadcast_to(row[None, None, :, None], (1, 4, 4, 1))
    found = resize_bicubic(images, 8)
    np.testing.assert_allclose(found[0, 0, 3, 0], weights @ row, rtol=1e-6)
    # The border's pixel stands for those beyond it: pixel 0 lies a quarter before pixel 0.
    first = weights[::-1] @ jnp.array([1.0, 1.0, 1.0, 3.0])[jnp.array([0, 1, 2, 3])]
    np.testing.assert_allclose(found[0, 3, 0, 0], first, rtol=1e-6)
    np.testing.assert_allclose(resize_bicubic(jnp.full((1, 5, 5, 2), 0.3), 9), 0.3, rtol=1e-6)
    np.testing.assert_allclose(resize_bicubic(images, 4), images, atol=1e-7)


def test_collages_are_of_the_patches_that_the_mask_covers():
    # The number of a pixel tells where it was; the mask covers its rows and columns 2 to 5.
    how = Collage(size=8, patch=2, best=9, rows=3)
    numbers = jnp.arange(64.0).reshape(1, 8, 8, 1)
    images = jnp.concatenate([numbers, -numbers], axis=-1)
    masks = jnp.zeros((1, 8, 8, 1)).at[:, 2:6, 2:6].set(1)
    key = jax.random.key(0)
    made = jax.jit(lambda x, m: make_collages(x, m, key, how))(images, masks)
    assert made.shape == (1, 8, 8, 2)
    small = Collage(size=8, patch=2, best=9, rows=4)  # 4 patches of 2: resized to what it is
    made = np.asarray(make_collages(images, masks, key, small))[0]
    first = made[::2, ::2, 0].round().astype(int)
    rows, columns = first // 8, first % 8
    assert rows.min() >= 2 and rows.max() <= 4 and columns.min() >= 2 and columns.max() <= 4
    assert len(np.unique(first)) > 4
    np.testing.assert_allclose(made[1::2, ::2, 0], made[::2, ::2, 0] + 8, atol=1e-4)
    np.testing.assert_allclose(made[::2, 1::2, 0], made[::2, ::2, 0] + 1, atol=1e-4)
    np.testing.assert_allclose(made[..., 1], -made[..., 0], atol=1e-4)


def test_no_gradient_passes_through_a_collage():
    how = Collage(size=8, patch=2, best=4, rows=2)

    def total(images, masks):
        return make_collages(images, masks, jax.random.key(0), how).sum()

    inputs = jnp.ones((1, 8, 8, 3)), jnp.ones((1, 8, 8, 1))
    assert all(not grad.any() for grad in jax.grad(total, (0, 1))(*inputs))
