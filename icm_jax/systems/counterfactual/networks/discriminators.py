"""Discriminators: how real an image of a label looks."""

import math

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute
from icm_jax.supervised import Parameters
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.networks.normalization import BatchNorm

_EMBEDDING = 10


class ProjectionDiscriminator(nn.Module):
    """Convolutions, and a score that is linear in what they see and in the label's projection.

    Three convolutions of 4x4 halve the side, a dense layer follows; the score is a linear function
    of its outputs plus their inner product with a vector of the label (Miyato and Koyama 2018,
    cGANs with Projection Discriminator). All kernels are divided by their spectral norms (Miyato
    et al. 2018), so that it does not outrun what it is to teach. Not of the published code.

    Attributes:
      classes: L, labels are 0 to L - 1.
      width: channels of the first convolution.
      compute: number formats and convolutions.
    """

    classes: int
    width: int = 32
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
        """Maps images `[B, S, S, C]` in [-1, 1] and labels int32 `[B]` to float32 scores `[B]`.

        With `train`, `batch_stats` is mutable: estimates of spectral norms.
        """
        chex.assert_rank([images, labels], [4, 1])
        init = nn.initializers.orthogonal()

        def divide(layer: nn.Module, x: jax.Array) -> jax.Array:
            return nn.SpectralNorm(layer)(x, update_stats=train)

        x = images
        for factor in (1, 2, 4):
            conv = self.compute.conv(factor * self.width, 4, 2, kernel_init=init)
            x = nn.leaky_relu(divide(conv, x), 0.2)
        dense = nn.Dense(8 * self.width, kernel_init=init)
        x = nn.leaky_relu(divide(dense, x.reshape(len(x), -1)), 0.2)
        vectors = nn.Dense(8 * self.width, use_bias=False, kernel_init=init)
        label = divide(vectors, jax.nn.one_hot(labels, self.classes))
        return divide(nn.Dense(1), x)[:, 0] + (x * label).sum(axis=1)


class LinearDiscriminator(nn.Module):
    """Dense layers on pixels and the embedding of the label, as published.

    Initial weights are those of PyTorch: uniform within 1 / sqrt(inputs).

    Attributes:
      classes: L, labels are 0 to L - 1.
      width: of the three hidden layers.
      dropout: share of the second's and third's outputs that is dropped in training.
    """

    classes: int
    width: int = 512
    dropout: float = 0.4

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
        """Maps images `[B, S, S, C]` in [-1, 1] and labels int32 `[B]` to float32 scores `[B]`.

        With `train` a `dropout` key is needed.
        """
        chex.assert_rank([images, labels], [4, 1])
        embed = nn.Embed(self.classes, _EMBEDDING, embedding_init=nn.initializers.normal(1.0))
        x = jnp.concatenate([images.reshape(len(images), -1), embed(labels)], axis=1)
        x = nn.leaky_relu(_dense(x, self.width), 0.2)
        for _ in range(2):
            x = nn.Dropout(self.dropout, deterministic=not train)(_dense(x, self.width))
            x = nn.leaky_relu(x, 0.2)
        return _dense(x, 1)[:, 0]


class ConvDiscriminator(nn.Module):
    """Convolutions on pixels and a fourth channel, the label's number, as published.

    Attributes:
      classes: L, labels are 0 to L - 1.
      width: channels of the first convolution.
      axis_name: device axis, or None.
      compute: number formats and convolutions.
    """

    classes: int
    width: int = 32
    axis_name: str | None = None
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool = False) -> jax.Array:
        """Maps images `[B, S, S, C]` in [-1, 1] and labels int32 `[B]` to float32 scores `[B]`.

        With `train`, `batch_stats` is mutable. The scores of all places are averaged; at 32
        pixels there is one.
        """
        chex.assert_rank([images, labels], [4, 1])
        init = nn.initializers.normal(0.02)
        number = nn.Embed(self.classes, 1, embedding_init=nn.initializers.normal(1.0))(labels)
        plane = jnp.broadcast_to(number[:, None, None], (*images.shape[:3], 1))
        x = jnp.concatenate([images, plane], axis=3)
        width = self.width
        for features, size, stride in ((width, 3, 1), (2 * width, 3, 1)) + ((4 * width, 4, 2),) * 2:
            x = self.compute.conv(
                features, size, stride, "VALID", use_bias=False, kernel_init=init
            )(x)
            norm = BatchNorm(_around_one, self.axis_name)
            x = nn.leaky_relu(norm(x, train), 0.2)
        x = nn.avg_pool(x, (3, 3), (3, 3))
        scores = self.compute.conv(1, 1, 1, "VALID", use_bias=False, kernel_init=init)(x)
        return scores.astype(jnp.float32).mean((1, 2, 3))


def score_in_training(
    discriminator: nn.Module,
    parameters: Parameters,
    images: jax.Array,
    labels: jax.Array,
    key: jax.Array,
) -> tuple[jax.Array, PyTree]:
    """Scores and running statistics after them.

    Args:
      discriminator: one of the above.
      parameters: of it.
      images: float32 `[B, S, S, C]` in [-1, 1].
      labels: int32 `[B]`.
      key: typed key `[]`, of what is dropped.

    Returns:
      float32 `[B]`, and `batch_stats`, {} without any.
    """
    scores, updates = discriminator.apply(
        parameters._asdict(),
        images,
        labels,
        train=True,
        mutable=["batch_stats"],
        rngs={"dropout": key},
    )
    return scores, updates.get("batch_stats", {})


def _dense(x: jax.Array, features: int) -> jax.Array:
    """A dense layer within the module that calls it, with PyTorch's initial weights."""
    bound = 1 / math.sqrt(x.shape[-1])

    def uniform(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return nn.Dense(features, kernel_init=uniform, bias_init=uniform)(x)


def _around_one(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    return 1 + 0.02 * jax.random.normal(key, shape, dtype)
