"""The convolution that stays fast under `jax.vmap` over network parameters.

Networks are written for one expert and `jax.vmap` makes E of them. XLA turns a convolution
vmapped over its kernel into a grouped convolution, which on a CPU is 40 times slower than one
convolution an expert, and computes kernel gradients at a quarter of the forward's rate. Here the
CPU lowering is one convolution for each mapped kernel, with the kernel gradient summed over
chunks of the batch. Other platforms keep XLA's own rule.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

# About eight images of 28x28: XLA's CPU kernel gradient then runs at the forward's rate.
_CHUNK_PIXELS = 6272


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    **kwargs,
) -> jax.Array:
    """Drop-in for `jax.lax.conv_general_dilated`, to be given to `flax.linen.Conv`.

    Args:
      lhs: `[B, H, W, C]` images.
      rhs: `[h, w, C, F]` kernel.
      window_strides: as in `jax.lax.conv_general_dilated`.
      padding: likewise.
      **kwargs: the remaining arguments of `jax.lax.conv_general_dilated`, all static.

    Returns:
      `[B, H', W', F]`, the same values as `jax.lax.conv_general_dilated`.
    """
    plain = functools.partial(
        jax.lax.conv_general_dilated, window_strides=window_strides, padding=padding, **kwargs
    )
    if jax.default_backend() != "cpu":
        return plain(lhs, rhs)
    return _unrolled_conv(plain)(lhs, rhs)


def _unrolled_conv(plain: Callable) -> Callable:
    """`plain(lhs, rhs)` with one call for each mapped kernel, in its gradients too."""

    def chunked_kernel_gradient(lhs, rhs, cotangent):
        chunks = _chunk_count(cotangent.shape)
        pairs = zip(jnp.split(lhs, chunks), jnp.split(cotangent, chunks), strict=True)
        parts = [
            jax.linear_transpose(functools.partial(plain, part), rhs)(g)[0] for part, g in pairs
        ]
        return functools.reduce(jnp.add, parts)

    def input_gradient(lhs, rhs, cotangent):
        return jax.linear_transpose(lambda x: plain(x, rhs), lhs)(cotangent)[0]

    forward = _one_call_each(plain)
    backward_lhs = _one_call_each(input_gradient)
    backward_rhs = _one_call_each(chunked_kernel_gradient)

    @jax.custom_vjp
    def conv(lhs, rhs):
        return forward(lhs, rhs)

    conv.defvjp(
        lambda lhs, rhs: (forward(lhs, rhs), (lhs, rhs)),
        lambda residuals, g: (backward_lhs(*residuals, g), backward_rhs(*residuals, g)),
    )
    return conv


def _one_call_each(fn: Callable) -> Callable:
    """`fn` whose batching rule is one call for each entry of the mapped axis, stacked."""
    fn = custom_vmap(fn)

    @fn.def_vmap
    def unrolled(axis_size, in_batched, *args):
        calls = [
            fn(*(a[i] if mapped else a for a, mapped in zip(args, in_batched, strict=True)))
            for i in range(axis_size)
        ]
        return jnp.stack(calls), True

    return fn


def _chunk_count(shape: Sequence[int]) -> int:
    """The most equal chunks of the batch in `shape` that keep about `_CHUNK_PIXELS` pixels each."""
    batch, height, width = shape[:3]
    wanted = max(1, batch * height * width // _CHUNK_PIXELS)
    return max(d for d in range(1, min(wanted, batch) + 1) if batch % d == 0)
