"""BigGAN-deep (Brock et al. 2019), the generator alone, as `pytorch-pretrained-biggan` has it."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.networks.pooling import max_pool
from icm_jax.systems.counterfactual.imagenet.networks.spectral import SpectralConv, SpectralDense
from icm_jax.systems.counterfactual.imagenet.networks.statistics import TruncatedBatchNorm
from icm_jax.systems.counterfactual.networks.doubling import convolve_doubled

START = 4  # pixels a side of the first layer
# Channels, in widths, after each doubling of the side but the first layer's, by resolution. Before
# each doubling, at the width that it starts from, comes a block that keeps both.
_DOUBLINGS = {
    64: (8, 4, 2, 1),
    128: (16, 8, 4, 2, 1),
    256: (16, 8, 8, 4, 2, 1),
    512: (16, 8, 8, 4, 2, 1, 1),
}
# Before which block attention stands: on 64 x 64 pixels in the published ones.
_ATTENTION = {64: 6, 128: 8, 256: 8, 512: 8}
RESOLUTIONS = tuple(_DOUBLINGS)
_FIRST = 16  # channels of the first layer, in widths


def layers(resolution: int) -> tuple[tuple[bool, int, int], ...]:
    """The blocks in order: whether it doubles the side, channels in and out, in widths.

    64 pixels are a shortening of this package; the others are published.

    Raises:
      ValueError: there is no generator of this resolution.
    """
    if resolution not in _DOUBLINGS:
        raise ValueError(
            f"resolution: {resolution} is not allowed; it must be one of {RESOLUTIONS}"
        )
    found, taken = [], _FIRST
    for made in _DOUBLINGS[resolution]:
        found += [(False, taken, taken), (True, taken, made)]
        taken = made
    return tuple(found)


def attention_position(resolution: int) -> int:
    """The number of the block before which attention stands."""
    return _ATTENTION[resolution]


class BigGAN(nn.Module):
    """The generator.

    Variables are `params`; `spectral`, the singular vectors of spectral norm; and `batch_stats`,
    the statistics by truncation. None but `params` is ever changed.

    Attributes:
      resolution: S, one of `RESOLUTIONS`.
      width: `ch`, 128 as published; a multiple of 4.
      latent: Z, numbers of noise and of a label's embedding.
      classes: L.
      published_interpolation: whether statistics between the grid of truncations are as in the
        public code, see `statistics.interpolate`.
      compute: number formats and convolutions.
    """

    resolution: int = 256
    width: int = 128
    latent: int = 128
    classes: int = 1000
    published_interpolation: bool = False
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, u: jax.Array, y: jax.Array, truncation: jax.Array) -> jax.Array:
        """Makes images.

        Args:
          u: float32 `[B, Z]` noise, published as N(0, 1) cut off at 2, times the truncation.
          y: float32 `[B, L]` labels, one-hot or a mixture.
          truncation: scalar in [0, 1], by which the statistics are chosen.

        Returns:
          float32 `[B, S, S, 3]` in (-1, 1).

        Raises:
          ValueError: the resolution or the width is not allowed.
        """
        blocks = layers(self.resolution)
        if self.width < 4 or self.width % 4:
            raise ValueError(f"width: {self.width} is not allowed; it must be a multiple of 4")
        chex.assert_shape(u, (None, self.latent))
        chex.assert_shape(y, (u.shape[0], self.classes))
        embedded = self.compute.dense(self.latent, use_bias=False, name="embeddings")(y)
        condition = jnp.concatenate([u, embedded.astype(u.dtype)], axis=1)
        start = SpectralDense(
            START**2 * _FIRST * self.width, use_bias=True, compute=self.compute, name="gen_z"
        )
        x = start(condition).reshape(-1, START, START, _FIRST * self.width)
        for number, (doubles, _, made) in enumerate(blocks):
            if number == attention_position(self.resolution):
                x = SelfAttention(self.compute, name="attention")(x)
            block = Block(
                made * self.width,
                doubles,
                self.published_interpolation,
                self.compute,
                name=f"block_{number}",
            )
            x = block(x, condition, truncation)
        norm = TruncatedBatchNorm(False, self.published_interpolation, self.compute, name="bn")
        x = nn.relu(norm(x, truncation))
        # As published, it makes `width` channels of which three are taken.
        x = SpectralConv(self.width, 3, compute=self.compute, name="conv_to_rgb")(x)
        return jnp.tanh(x[..., :3].astype(jnp.float32))


class Block(nn.Module):
    """A residual block with a bottleneck of a quarter of its input's channels.

    Attributes:
      features: F, as many as its input has, or half as many.
      doubles: whether the side becomes twice as long, by nearest neighbours.
      published_interpolation: as in `BigGAN`.
      compute: number formats and convolutions.
    """

    features: int
    doubles: bool
    published_interpolation: bool
    compute: Compute

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array, truncation: jax.Array) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H, W, F]` or `[B, 2H, 2W, F]`; `condition` is `[B, Z]`."""
        middle, skipped = x.shape[-1] // 4, x[..., : self.features]
        around = functools.partial(convolve_doubled, on_cpu=self.compute.on_cpu)
        doubling = {"around": around} if self.doubles else {}
        convolutions = [
            (middle, 1, {}),
            (middle, 3, doubling),
            (middle, 3, {}),
            (self.features, 1, {}),
        ]
        for number, (features, size, others) in enumerate(convolutions):
            norm = TruncatedBatchNorm(
                True, self.published_interpolation, self.compute, name=f"bn_{number}"
            )
            x = nn.relu(norm(x, truncation, condition))
            conv = SpectralConv(
                features, size, compute=self.compute, name=f"conv_{number}", **others
            )
            x = conv(x)
        if self.doubles:
            skipped = skipped.repeat(2, axis=1).repeat(2, axis=2)
        return x + skipped


class SelfAttention(nn.Module):
    """Attention of every pixel over the image at half the side (Zhang et al. 2019).

    Attributes:
      compute: number formats and convolutions.
    """

    compute: Compute

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Adds to `[B, H, W, C]` what is attended to, times a scalar that starts at 0."""
        batch, height, width, channels = x.shape

        def convolve(name, features, inputs, pooled=False):
            conv = SpectralConv(features, use_bias=False, compute=self.compute, name=name)
            made = conv(inputs)
            made = max_pool(made) if pooled else made
            return made.reshape(batch, -1, features)

        product = functools.partial(jnp.einsum, precision=self.compute.product_precision)
        theta = convolve("theta", channels // 8, x)
        phi = convolve("phi", channels // 8, x, pooled=True)
        values = convolve("g", channels // 2, x, pooled=True)
        scores = product("bqc,bkc->bqk", theta, phi).astype(jnp.float32)
        weights = nn.softmax(scores).astype(values.dtype)
        attended = product("bqk,bkc->bqc", weights, values)
        attended = attended.reshape(batch, height, width, channels // 2)
        out = SpectralConv(channels, use_bias=False, compute=self.compute, name="o_conv")(attended)
        gamma = self.param("gamma", nn.initializers.zeros, ())
        return x + gamma.astype(x.dtype) * out
