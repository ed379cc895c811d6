"""Convolutions that stay fast under `jax.vmap` over network parameters.

Networks are written for one expert and `jax.vmap` makes E of them. XLA turns a convolution
vmapped over its kernel into a grouped convolution, which on a CPU is 40 times slower than one
convolution an expert. What a mapped kernel becomes is chosen here, by platform or by name:

- unrolled: one convolution a kernel, with the kernel gradient summed over chunks of the batch,
  since XLA's CPU kernel gradient runs at a quarter of the forward's rate without.
- matmul: one batched matrix product over patches of the images.
- grouped: XLA's own rule.
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from icm_jax.chunks import equal_parts

LOWERINGS = ("auto", "unrolled", "matmul", "grouped")

# Where XLA's CPU kernel gradient runs at the forward's rate: images and numbers of a cotangent.
_CHUNK_IMAGES, _CHUNK_SIZE = 16, 16 * 28 * 28 * 16

# (lhs, rhs) -> [B, H', W', F]
Conv = Callable[[jax.Array, jax.Array], jax.Array]


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lowering: str = "auto",
    **kwargs,
) -> jax.Array:
    """Drop-in for `jax.lax.conv_general_dilated`, to be given to `flax.linen.Conv`.

    Args:
      lhs: `[B, H, W, C]` images.
      rhs: `[h, w, C, F]` kernel.
      window_strides: as in `jax.lax.conv_general_dilated`.
      padding: likewise.
      lowering: one of `LOWERINGS`; 'auto' is unrolled on a CPU and matmul elsewhere.
      **kwargs: the remaining arguments of `jax.lax.conv_general_dilated`, all static. Dilation
        and groups are not for 'matmul'.

    Returns:
      `[B, H', W', F]`, the same values as `jax.lax.conv_general_dilated` but for rounding.
    """
    plain = functools.partial(
        jax.lax.conv_general_dilated, window_strides=window_strides, padding=padding, **kwargs
    )
    if lowering == "auto":
        lowering = "unrolled" if jax.default_backend() == "cpu" else "matmul"
    if lowering == "unrolled":
        return _differentiable(plain, _chunked_kernel_gradient(plain), _one_call_each)(lhs, rhs)
    if lowering == "matmul":
        product = functools.partial(
            _patches_product, strides=window_strides, padding=padding, **kwargs
        )
        return _differentiable(plain, _kernel_gradient(plain), _mapped_as(product))(lhs, rhs)
    return plain(lhs, rhs)


def _differentiable(conv: Conv, kernel_gradient: Callable, with_rule: Callable) -> Conv:
    """`conv` with a batching rule of its own for itself and for both of its gradients.

    `custom_vmap` has no derivative; `custom_vjp` around it gives one.
    """
    forward = with_rule(conv, lambda conv: conv)
    to_lhs = with_rule(_input_gradient(conv), _input_gradient)
    to_rhs = with_rule(kernel_gradient, _kernel_gradient)

    @jax.custom_vjp
    def differentiable(lhs, rhs):
        return forward(lhs, rhs)

    differentiable.defvjp(
        lambda lhs, rhs: (forward(lhs, rhs), (lhs, rhs)),
        lambda residuals, g: (to_lhs(*residuals, g), to_rhs(*residuals, g)),
    )
    return differentiable


def _input_gradient(conv: Conv) -> Callable:
    return lambda lhs, rhs, g: jax.linear_transpose(lambda x: conv(x, rhs), lhs)(g)[0]


def _kernel_gradient(conv: Conv) -> Callable:
    return lambda lhs, rhs, g: jax.linear_transpose(lambda k: conv(lhs, k), rhs)(g)[0]


def _chunked_kernel_gradient(conv: Conv) -> Callable:
    gradient = _kernel_gradient(conv)

    def chunked(lhs, rhs, g):
        chunks = _chunk_count(g.shape)
        pairs = zip(jnp.split(lhs, chunks), jnp.split(g, chunks), strict=True)
        return functools.reduce(jnp.add, [gradient(part, rhs, g) for part, g in pairs])

    return chunked


def _chunk_count(shape: Sequence[int]) -> int:
    """The fewest equal chunks of the batch of `shape` that keep to the limits of a chunk."""
    return equal_parts(shape[0], min(_CHUNK_IMAGES, _CHUNK_SIZE // math.prod(shape[1:])))


def _one_call_each(fn: Callable, of: Callable) -> Callable:
    """`fn` whose batching rule is one call for each entry of the mapped axis, stacked."""
    del of
    fn = custom_vmap(fn)

    @fn.def_vmap
    def unrolled(axis_size, in_batched, *args):
        calls = [
            fn(*(a[i] if mapped else a for a, mapped in zip(args, in_batched, strict=True)))
            for i in range(axis_size)
        ]
        return jnp.stack(calls), True

    return fn


def _mapped_as(product: Conv) -> Callable:
    """Turns `fn`, made of a convolution by `of`, into one made of `product` for mapped kernels."""

    def with_rule(fn: Callable, of: Callable) -> Callable:
        result = custom_vmap(fn)

        @result.def_vmap
        def mapped(axis_size, in_batched, *args):
            del axis_size
            axes = [0 if mapped else None for mapped in in_batched]
            return jax.vmap(of(product) if in_batched[1] else fn, axes)(*args), True

        return result

    return with_rule


def _patches_product(
    lhs: jax.Array,
    rhs: jax.Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type: jnp.dtype | None = None,
    **kwargs,
) -> jax.Array:
    """The convolution as a product of patches `[B, H', W', h w C]` and kernels `[h w C, F]`."""
    if any(d != 1 for name in ("lhs_dilation", "rhs_dilation") for d in kwargs.get(name) or ()):
        raise NotImplementedError("convolution: matmul has no dilation; use grouped")
    if kwargs.get("feature_group_count", 1) != 1 or kwargs.get("batch_group_count", 1) != 1:
        raise NotImplementedError("convolution: matmul has no groups; use grouped")
    window = rhs.shape[:2]
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(lhs.shape[1:3], window, strides, padding)
    padded = jnp.pad(lhs, ((0, 0), *padding, (0, 0)))
    ends = [side - size + 1 for side, size in zip(padded.shape[1:3], window, strict=True)]
    patches = jnp.concatenate(
        [
            padded[:, i : i + ends[0] : strides[0], j : j + ends[1] : strides[1]]
            for i in range(window[0])
            for j in range(window[1])
        ],
        axis=-1,
    )
    return jnp.matmul(
        patches,
        rhs.reshape(-1, rhs.shape[-1]),
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
