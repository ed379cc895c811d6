"""The mechanisms of a Counterfactual Generative Network (Sauer & Geiger 2021) for small images.

Shape, foreground and background are three networks, each of its own noise and label. All share the
embedding of labels. Layers and sizes are those of the published code (mnists/models/cgn.py).
"""

import functools
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.networks.doubling import convolve_doubled
from icm_jax.systems.counterfactual.networks.normalization import BatchNorm, normalize_instances

START = 8  # pixels a side of the first layer
_INITIALIZERS = {"orthogonal": nn.initializers.orthogonal, "normal": nn.initializers.normal}
INITIALIZERS = tuple(_INITIALIZERS)


class Each(NamedTuple):
    """Something for each mechanism: noise, labels, networks."""

    shape: Any
    foreground: Any
    background: Any


class Layers(NamedTuple):
    """What the mechanisms make of a batch.

    Attributes:
      mask: as the network gives it, before it is clamped to [0, 1], float32 `[B, S, S, 1]`.
      foreground: float32 `[B, S, S, 3]` in [-1, 1].
      background: likewise.
    """

    mask: jax.Array
    foreground: jax.Array
    background: jax.Array


class Settings(NamedTuple):
    """What all mechanisms are made with.

    Attributes:
      size: S, pixels a side: 32, 64 or 128.
      width: channels of the layers before the last; twice as many in those before.
      initializer: one of `INITIALIZERS`, of convolutions and dense layers.
      gain: of the initializer.
      spread: standard deviation of the first scales of batch norm.
      axis_name: device axis, or None.
      compute: number formats and convolutions.
    """

    size: int = 32
    width: int = 32
    initializer: str = "orthogonal"
    gain: float = 0.1
    spread: float = 0.1
    axis_name: str | None = None
    compute: Compute = Compute()

    @property
    def kernel_init(self) -> nn.initializers.Initializer:
        """Of convolutions and dense layers."""
        return _INITIALIZERS[self.initializer](self.gain)

    def norm(self) -> BatchNorm:
        """Batch norm whose scales are N(1, spread^2)."""

        def around_one(key, shape, dtype=jnp.float32):
            return 1 + self.spread * jax.random.normal(key, shape, dtype)

        return BatchNorm(around_one, self.axis_name)

    def conv_doubled(self, features: int) -> nn.Conv:
        """A 3x3 convolution of the nearest neighbours at twice the resolution."""
        around = functools.partial(convolve_doubled, on_cpu=self.compute.on_cpu)
        return self.compute.conv(
            features, around=around, use_bias=False, kernel_init=self.kernel_init
        )

    def start(self, x: jax.Array, features: int) -> jax.Array:
        """The dense layer: `[B, Z]` to `[B, 8, 8, features]`, within the module that calls it."""
        dense = nn.Dense(START**2 * features, kernel_init=self.kernel_init)
        return dense(x).reshape(-1, START, START, features)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after each doubling of the side but the last."""
        return (2 * self.width,) * (doublings(self.size) - 1)


def doublings(size: int) -> int:
    """How often the side doubles from that of the first layer to `size`.

    Raises:
      ValueError: `size` is none of the three.
    """
    if size not in (32, 64, 128):
        raise ValueError(f"data.size: {size} is not allowed; it must be 32, 64 or 128")
    return (size // START).bit_length() - 1


class ShapeMechanism(nn.Module):
    """Makes masks.

    Attributes:
      settings: see `Settings`.
    """

    settings: Settings

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps noise and label, float32 `[B, Z]`, to masks before the clamp, `[B, S, S, 1]`."""
        settings = self.settings
        x = normalize_instances(settings.start(x, 2 * settings.width))
        for features in (*settings.widths[1:], settings.width, 1):
            x = settings.conv_doubled(features)(x)
            x = normalize_instances(_leaky(settings.norm()(x, train)))
        return x


class TextureMechanism(nn.Module):
    """Makes textures, of a foreground or a background.

    Attributes:
      settings: see `Settings`.
    """

    settings: Settings

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps noise and label, float32 `[B, Z]`, to `[B, S, S, 3]` in [-1, 1]."""
        settings = self.settings
        x = settings.start(x, 2 * settings.width)
        for features in (*settings.widths, settings.width):
            x = _leaky(settings.norm()(settings.conv_doubled(features)(x), train))
        return jnp.tanh(
            settings.norm()(settings.compute.conv(3, kernel_init=settings.kernel_init)(x), train)
        )


class Mechanisms(nn.Module):
    """The three mechanisms.

    Attributes:
      classes: L, labels are 0 to L - 1.
      settings: of the networks.
      embedding: numbers that a label becomes.
    """

    classes: int
    settings: Settings
    embedding: int = 10

    def setup(self):
        """Makes the networks and what they share."""
        self.labels = nn.Embed(
            self.classes, self.embedding, embedding_init=nn.initializers.normal(1.0)
        )
        self.shape = ShapeMechanism(self.settings)
        self.foreground = TextureMechanism(self.settings)
        self.background = TextureMechanism(self.settings)

    def __call__(self, noise: Each, labels: Each, train: bool = False) -> Layers:
        """Makes masks and textures.

        Args:
          noise: float32 `[B, Z]` for each mechanism; the same array thrice in training.
          labels: int32 `[B]` for each, likewise.
          train: whether batch norm takes the batch's statistics; `batch_stats` is then mutable.
        """
        chex.assert_rank(list(noise), 2)
        chex.assert_rank(list(labels), 1)
        inputs = [
            jnp.concatenate([u, self.labels(y)], axis=1) for u, y in zip(noise, labels, strict=True)
        ]
        networks = self.shape, self.foreground, self.background
        return Layers(*(net(x, train) for net, x in zip(networks, inputs, strict=True)))


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, 0.2)
