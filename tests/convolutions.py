"""A convolution that is computed otherwise against the plain one."""

import jax
import jax.numpy as jnp
import numpy as np


def assert_same_with_gradients(fast, plain):
    """Asserts that a layer makes of 3x4 pixels the 6x8 that `plain(images, kernel)` does.

    So do its gradients by images and kernel. It has 7 features and no bias.
    """
    rng = np.random.RandomState(0)
    x = jnp.asarray(rng.normal(size=(3, 3, 4, 5)), jnp.float32)
    weights = jnp.asarray(rng.normal(size=(3, 6, 8, 7)), jnp.float32)
    params = jax.jit(fast.init)(jax.random.key(0), x)

    def of_plain(params, x):
        return plain(x, params["params"]["kernel"])

    @jax.jit
    def both(params, x):
        def gradients(f):
            return jax.grad(lambda *args: (f(*args) * weights).sum(), (0, 1))(params, x)

        return [(f(params, x), gradients(f)) for f in (fast.apply, of_plain)]

    ours, theirs = both(params, x)
    assert ours[0].shape == (3, 6, 8, 7)
    for our, their in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(our, their, rtol=0, atol=1e-5 * np.abs(their).max())
