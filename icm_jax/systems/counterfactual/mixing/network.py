"""A variational autoencoder of 32x32 images (Kingma and Welling 2014)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute

_START = 4  # pixels a side of the decoder's first layer
_DOUBLINGS = 3


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
        conv, wide = self.compute.conv, 2 * self.width
        self.down = [conv(filters, stride=2) for filters in (self.width, wide, wide)]
        self.to_latent = self.compute.dense(2 * self.latent)
        self.from_latent = self.compute.dense(_START**2 * wide)
        self.up = [conv(filters) for filters in (wide, self.width, 3)]

    def encode(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and log variance `[B, Z]` of the latents of images `[B, 32, 32, 3]` in [0, 1]."""
        x = images
        for layer in self.down:
            x = nn.relu(layer(x))
        found = self.to_latent(x.reshape(x.shape[0], -1)).astype(jnp.float32)
        return tuple(jnp.split(found, 2, axis=1))

    def decode(self, latents: jax.Array) -> jax.Array:
        """Images float32 `[B, 32, 32, 3]` in [0, 1] of latents `[B, Z]`."""
        x = nn.relu(self.from_latent(latents))
        x = x.reshape(x.shape[0], _START, _START, 2 * self.width)
        for number, layer in enumerate(self.up, 1):
            x = layer(x.repeat(2, axis=1).repeat(2, axis=2))
            x = nn.relu(x) if number < _DOUBLINGS else nn.sigmoid(x.astype(jnp.float32))
        return x

    def __call__(self, images: jax.Array, noise: jax.Array) -> tuple[jax.Array, ...]:
        """What is decoded of latents drawn with `noise` `[B, Z]`, N(0, 1); mean, log variance."""
        mean, log_variance = self.encode(images)
        return self.decode(mean + jnp.exp(log_variance / 2) * noise), mean, log_variance


def bounds(
    images: jax.Array,
    decoded: jax.Array,
    mean: jax.Array,
    log_variance: jax.Array,
    deviation: float,
) -> tuple[jax.Array, jax.Array]:
    """The two parts of the negative evidence lower bound of each image, in nats, `[B]` each.

    Args:
      images: `[B, H, W, C]`.
      decoded: likewise, the means of normals of standard deviation `deviation`; their constant
        is left out.
      mean: of the latents, `[B, Z]`.
      log_variance: likewise.
      deviation: of pixels.
    """
    off = jnp.square(images - decoded).sum((1, 2, 3)) / (2 * deviation**2)
    divergence = (jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2
    return off, divergence
