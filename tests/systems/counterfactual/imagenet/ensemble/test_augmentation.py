import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.counterfactual.imagenet.ensemble.augmentation import crop_middle, crop_randomly


def test_the_middle_of_an_image():
    images = jnp.arange(25.0).reshape(1, 5, 5, 1)
    np.testing.assert_array_equal(
        crop_middle(images, 3)[0, :, :, 0], [[6, 7, 8], [11, 12, 13], [16, 17, 18]]
    )


def test_random_parts_lie_in_the_image_and_half_of_them_are_mirrored():
    # A pixel tells its row and its column, of 0 to 15; parts keep both in order.
    rows, columns = np.meshgrid(np.arange(16.0), np.arange(16.0), indexing="ij")
    image = jnp.asarray(np.stack([rows, columns], axis=-1), jnp.float32)
    images = jnp.broadcast_to(image, (200, 16, 16, 2))
    parts = np.asarray(jax.jit(crop_randomly, static_argnums=2)(images, jax.random.key(0), 8))
    assert parts.shape == (200, 8, 8, 2) and parts.min() >= -1e-3 and parts.max() <= 15 + 1e-3
    down = parts[:, -1, :, 0] - parts[:, 0, :, 0]
    right = parts[:, :, -1, 1] - parts[:, :, 0, 1]
    mirrored = (right < 0).mean()
    assert (down > 0).all() and 0.35 < mirrored < 0.65
    # Eight pixels of a part of h rows span 7/8 h: areas are 8 to 100 %, ratios 3/4 to 4/3.
    height, width = down.mean(1) * 8 / 7, np.abs(right).mean(1) * 8 / 7
    areas = height * width / 256
    assert areas.min() < 0.15 and areas.max() > 0.8 and areas.min() > 0.05
    small = areas < 0.5
    assert (width / height)[small].max() < 1.45 and (width / height)[small].min() > 0.69
