"""A variational autoencoder as an expert: what it draws has passed through a few numbers."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.networks.divergence import kl_divergence
from icm_jax.systems.icm.networks.experts import PENALTY
from icm_jax.systems.icm.networks.normalization import BatchNorm, Statistics

_SIZE = 6  # of the decoder's kernels, and the side of its first layer


class VAEExpert(nn.Module):
    """The reproduction's VAE: encoder 3x3 32, 64, 64, latent 256; decoder 6x6 64, 64, 32, C.

    Every convolution is followed by batch norm and the activation, the last by batch norm and
    `output`. The table is silent on strides and padding; here
      * the encoder halves the sides at each convolution, rounded up: 28, 14, 7, 4; one dense layer
        then gives mean and log variance of the latent;
      * the decoder's first layer is a transposed convolution of the latent as one pixel, 6x6
        pixels of 64 channels: a dense layer. Before each of the others images are interpolated
        (bilinear) to a quarter, a half and the whole of the sides, 7, 14, 28, and the 6x6
        convolution of stride 1 keeps them: no checkerboards, and any size of image.
    1,398,633 parameters at the defaults on 28x28x3, all but the 524,800 of the encoder's dense
    layer whatever the sides (Kingma and Welling 2014).

    It sows, as its penalty, `beta` times the KL divergence of the latent from a standard normal,
    summed over latents and divided by H W C as the mean squared error is: whatever the sides,
    `beta = 1` weighs it like the sum of squares, a normal likelihood of variance 1/2. From about
    there on many latents are mere noise, to which the decoder's batch statistics are used: the
    mean latents of evaluation then give worse images than drawn ones.

    Attributes:
      latent: numbers that an image passes through.
      beta: weight of the divergence.
      encoder: filters of its three convolutions.
      decoder: those of its first layer and of the convolutions before the last, three.
      activation: after each hidden batch norm.
      output: what makes pixels of the last batch norm.
      axis_name: device axis over which batch statistics are taken, or None.
      compute: number formats and convolutions.
    """

    latent: int = 256
    beta: float = 0.1
    encoder: Sequence[int] = (32, 64, 64)
    decoder: Sequence[int] = (64, 64, 32)
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    output: Callable[[jax.Array], jax.Array] = nn.sigmoid
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, images: jax.Array, statistics: Statistics = "batch", keys: jax.Array | None = None
    ) -> jax.Array:
        """Maps images `[B, H, W, C]` in [0, 1] to float32 images of the same shape.

        They have the range of `output`.

        Args:
          images: any float type.
          statistics: whose batch statistics normalise, see `BatchNorm`.
          keys: typed keys `[B]` that the latents are drawn with; None takes their means.
        """

        def normalised(x):
            return BatchNorm(self.axis_name, x.dtype)(x, statistics)

        x = images
        for filters in self.encoder:
            x = self.activation(normalised(self.compute.conv(filters, stride=2)(x)))
        x = x.reshape(x.shape[0], -1)
        latent = self.compute.dense(2 * self.latent)(x).astype(jnp.float32)
        mean, log_variance = jnp.split(latent, 2, axis=1)
        batch, *sides, channels = images.shape
        divergence = kl_divergence(mean, log_variance) / (sides[0] * sides[1] * channels)
        self.sow(PENALTY, "kl", self.beta * divergence, lambda _, new: new, lambda: None)
        if keys is not None:
            noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
            mean = mean + jnp.exp(log_variance / 2) * noise

        x = self.compute.dense(_SIZE * _SIZE * self.decoder[0])(mean)
        x = self.activation(normalised(x.reshape(batch, _SIZE, _SIZE, self.decoder[0])))
        for halvings, filters in ((2, self.decoder[1]), (1, self.decoder[2]), (0, channels)):
            shape = (batch, *(-(-side // 2**halvings) for side in sides), x.shape[-1])
            x = self.compute.conv(filters, _SIZE)(jax.image.resize(x, shape, "linear"))
            x = normalised(x)
            x = self.activation(x) if halvings else self.output(x.astype(jnp.float32))
        return x
