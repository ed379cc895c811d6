"""How far a variational autoencoder's latents are from its prior (Kingma and Welling 2014)."""

import jax
import jax.numpy as jnp


def kl_divergence(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Of normals with a diagonal covariance, `[B, L]`, from the standard normal, in nats, `[B]`."""
    terms = jnp.square(mean) + jnp.exp(log_variance) - 1.0 - log_variance
    return 0.5 * terms.sum(axis=1)
