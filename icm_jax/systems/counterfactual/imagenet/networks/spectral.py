"""Layers with spectral normalisation (Miyato et al. 2018) in its evaluation form: W / (u' W v).

The singular vectors u and v are stored beside the weights, in the collection `spectral`, and stay.
Gradients reach W through the norm too, as in PyTorch.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.compute import Compute

_INITIALIZER = nn.initializers.lecun_normal()
# Of the power iteration that makes the first u and v.
_ITERATIONS = 20


class SpectralConv(nn.Module):
    """A convolution whose kernel is divided by its spectral norm.

    Attributes:
      features: F.
      size: pixels a side of the kernel.
      use_bias: whether a bias, which is not divided, is added.
      around: as in `Compute.conv`.
      compute: number formats and convolutions.
    """

    features: int
    size: int = 1
    use_bias: bool = True
    around: Callable[[Callable], Callable] = lambda conv: conv
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H, W, F]`, or to what `around` makes of it.

        `spectral` has `u` `[F]` and `v` `[size * size * C]`.
        """
        shape = (self.size, self.size, x.shape[-1], self.features)
        conv = self.compute.conv(
            self.features, self.size, around=self.around, use_bias=self.use_bias, parent=None
        )
        return conv.apply({"params": _normalized_params(self, shape, self.use_bias)}, x)


class SpectralDense(nn.Module):
    """A dense layer whose kernel is divided by its spectral norm.

    Attributes:
      features: F.
      use_bias: whether a bias, which is not divided, is added.
      compute: number formats.
    """

    features: int
    use_bias: bool = False
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, C]` to `[B, F]`; `spectral` has `u` `[F]` and `v` `[C]`."""
        dense = self.compute.dense(self.features, self.use_bias, parent=None)
        params = _normalized_params(self, (x.shape[-1], self.features), self.use_bias)
        return dense.apply({"params": params}, x)


def spectral_norm(kernel: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    """The largest singular value of a kernel by its vectors: u' W v, a scalar.

    Args:
      kernel: floats `[..., F]`; W is `[F, N]`, of the N other numbers in their order.
      u: `[F]`, of length 1.
      v: `[N]`, of length 1.
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    highest = jax.lax.Precision.HIGHEST
    return jnp.dot(jnp.dot(v, matrix, precision=highest), u, precision=highest)


@functools.partial(jax.jit, static_argnames="iterations")
def singular_vectors(kernel: jax.Array, iterations: int = _ITERATIONS) -> tuple[jax.Array, ...]:
    """u `[F]` and v `[N]` of a kernel `[..., F]` by power iteration, see `spectral_norm`."""
    matrix = kernel.reshape(-1, kernel.shape[-1])

    def iterate(_, vectors):
        v = _unit(matrix @ vectors[0])
        return _unit(v @ matrix), v

    first = _unit(jnp.ones(matrix.shape[1])), jnp.zeros(matrix.shape[0])
    return jax.lax.fori_loop(0, iterations, iterate, first)


def _unit(vector: jax.Array) -> jax.Array:
    return vector / (jnp.linalg.norm(vector) + 1e-12)


def _normalized_params(module: nn.Module, shape: tuple[int, ...], use_bias: bool) -> dict:
    """The parameters of the layer of `module`, with the kernel divided by its norm."""
    kernel = module.param("kernel", _INITIALIZER, shape)
    first = singular_vectors(kernel) if module.is_initializing() else (None, None)
    u = module.variable("spectral", "u", lambda: first[0])
    v = module.variable("spectral", "v", lambda: first[1])
    params = {"kernel": kernel / spectral_norm(kernel, u.value, v.value)}
    if use_bias:
        params["bias"] = module.param("bias", nn.initializers.zeros, shape[-1:])
    return params
