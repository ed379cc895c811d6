import jax.numpy as jnp
import numpy as np

from icm_jax.systems.counterfactual.imagenet import losses


def test_reconstruction_is_the_mean_difference_of_an_image():
    images = jnp.zeros((2, 2, 2, 3)).at[0, 0, 0, 0].set(0.6).at[1].set(-1)
    targets = jnp.zeros((2, 2, 2, 3)).at[1].set(0.5)
    np.testing.assert_allclose(losses.reconstruction(images, targets), [0.6 / 12, 1.5], rtol=1e-6)


def test_masks_that_are_too_small_or_too_large_cost_what_they_are_beyond():
    masks = jnp.array([0.04, 0.1, 0.5, 0.97])[:, None, None, None] * jnp.ones((4, 2, 2, 1))
    np.testing.assert_allclose(losses.mask_size(masks, 0.1, 0.9), [0.06, 0, 0, 0.07], atol=1e-6)
