"""A variational autoencoder of 32x32 images (Kingma and Welling 2014)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from icm_jax.networks.compute import Compute
from icm_jax.networks.divergence import kl_divergence

_START = 4  # pixels a side of the decoder's first layer
_HE = nn.initializers.he_normal()  # of the layers before a ReLU


class VAE(nn.Module):
    """Three convolutions of stride 2 and back, by nearest neighbours at twice the resolution.

    Attributes:
      latent: Z, numbers that an image passes through.
      width: channels of the layers next to the pixels; twice as many in the others.
      compute: number formats and convolutions.
    """

    latent: int = 16
    width: int = 32
    compute: Compute = Compute()

    def setup(self):
        """Makes the layers."""
        conv, dense, wide = self.compute.conv, self.compute.dense, 2 * self.width
        widths = (self.width, wide, wide)
        self.down = [conv(filters, stride=2, kernel_init=_HE) for filters in widths]
        self.to_latent = dense(2 * self.latent)
        self.from_latent = dense(_START**2 * wide, kernel_init=_HE)
        self.up = [conv(filters, kernel_init=_HE) for filters in (wide, self.width)]
        self.to_pixels = conv(3)

    def encode(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and log variance `[B, Z]` of the latents of images `[B, 32, 32, 3]` in [0, 1]."""
        x = images
        for layer in self.down:
            x = nn.relu(layer(x))
        found = self.to_latent(x.reshape(x.shape[0], -1)).astype(jnp.float32)
        return tuple(jnp.split(found, 2, axis=1))

    def decode(self, latents: jax.Array) -> jax.Array:
        """The logits of pixels, float32 `[B, 32, 32, 3]`, of latents `[B, Z]`."""
        x = nn.relu(self.from_latent(latents))
        x = x.reshape(x.shape[0], _START, _START, 2 * self.width)
        for layer in self.up:
            x = nn.relu(layer(_double(x)))
        return self.to_pixels(_double(x)).astype(jnp.float32)

    def __call__(self, images: jax.Array, noise: jax.Array) -> tuple[jax.Array, ...]:
        """Logits of latents that are drawn with `noise` `[B, Z]`, N(0, 1); mean, log variance."""
        mean, log_variance = self.encode(images)
        return self.decode(mean + jnp.exp(log_variance / 2) * noise), mean, log_variance


def _double(x: jax.Array) -> jax.Array:
    """Images `[B, H, W, C]` at twice the resolution, by nearest neighbours."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def bounds(
    images: jax.Array, logits: jax.Array, mean: jax.Array, log_variance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The two parts of the negative evidence lower bound of each image, in nats, `[B]` each.

    Args:
      images: `[B, H, W, C]` in [0, 1], taken as probabilities of pixels that are 0 or 1.
      logits: likewise, of what is decoded (the Bernoulli decoder of Kingma and Welling 2014).
      mean: of the latents, `[B, Z]`.
      log_variance: likewise.
    """
    reconstruction = optax.sigmoid_binary_cross_entropy(logits, images).sum((1, 2, 3))
    return reconstruction, kl_divergence(mean, log_variance)
