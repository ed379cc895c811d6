"""Convolutions that stay fast under `jax.vmap` over network parameters.

Networks are written for one expert and `jax.vmap` makes E of them. XLA turns a convolution
vmapped over its kernel into a grouped convolution, which on a CPU is 40 times slower than one
convolution an expert. What a mapped kernel becomes is a lowering:

- unrolled: one convolution a kernel, with the kernel gradient summed over chunks of the batch,
  since XLA's CPU kernel gradient runs at a quarter of the forward's rate without; and with few
  channels on one side as sums of shifted products (`icm_jax.networks.thin`).
- matmul: one batched matrix product over patches of the images.
- grouped: XLA's own rule.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from icm_jax.chunks import equal_parts
from icm_jax.networks import thin

LOWERINGS = ("unrolled", "matmul", "grouped")

# Where XLA's CPU kernel gradient runs at the forward's rate: images and numbers of a cotangent.
_CHUNK_IMAGES, _CHUNK_SIZE = 16, 16 * 28 * 28 * 16

# (images [B, H, W, C], kernel [h, w, C, F]) -> [B, H', W', F]
Conv = Callable[[jax.Array, jax.Array], jax.Array]
# (images, kernel, cotangent [B, H', W', F]) -> of the shape of the images, or of the kernel
Gradient = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


class _Parts(NamedTuple):
    """A convolution and its gradients, in the order in which rules for all three are made."""

    forward: Conv
    to_images: Gradient
    to_kernel: Gradient


def choose_lowering(name: str, on_cpu: bool) -> str:
    """One of `LOWERINGS`, by its name or, where that is 'auto', by platform."""
    if name != "auto":
        return name
    return "unrolled" if on_cpu else "matmul"


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lowering: str,
    **kwargs,
) -> jax.Array:
    """Convolves as `jax.lax.conv_general_dilated`, in whose place `flax.linen.Conv` takes it.

    Args:
      lhs: `[B, H, W, C]` images, of any float type.
      rhs: `[h, w, C, F]` kernel, of the same.
      window_strides: as in `jax.lax.conv_general_dilated`.
      padding: likewise.
      lowering: one of `LOWERINGS`.
      **kwargs: the remaining arguments of `jax.lax.conv_general_dilated`, all static. Dilation
        and groups are not for 'matmul'.

    Returns:
      `[B, H', W', F]`, the same values as `jax.lax.conv_general_dilated` but for rounding.

    Raises:
      AssertionError: images or kernel are not of four axes.
      NotImplementedError: 'matmul' with dilation or groups, under `jax.vmap` over kernels.
    """
    chex.assert_rank([lhs, rhs], 4)
    plain = functools.partial(
        jax.lax.conv_general_dilated, window_strides=window_strides, padding=padding, **kwargs
    )
    if lowering == "grouped":
        return plain(lhs, rhs)
    parts = _parts(plain)
    if lowering == "unrolled":
        parts = parts._replace(to_kernel=functools.partial(_chunked_kernel_gradient, plain))
        each = _Parts(*map(_called_for_each, parts))
        if not _is_dilated_or_grouped(kwargs):
            each = _thin_parts(plain, each, lhs, rhs, window_strides, padding)
        return _differentiable(each)(lhs, rhs)
    product = functools.partial(_patches_product, strides=window_strides, padding=padding, **kwargs)
    return _differentiable(_Parts(*map(_replaced_if_mapped, parts, _parts(product))))(lhs, rhs)


def _differentiable(parts: _Parts) -> Conv:
    """The convolution with its gradients: `custom_vmap` has none, `custom_vjp` gives it them."""

    @jax.custom_vjp
    def conv(lhs, rhs):
        return parts.forward(lhs, rhs)

    conv.defvjp(
        lambda lhs, rhs: (parts.forward(lhs, rhs), (lhs, rhs)),
        lambda saved, g: (parts.to_images(*saved, g), parts.to_kernel(*saved, g)),
    )
    return conv


def _parts(conv: Conv) -> _Parts:
    """A convolution and its own gradients."""
    return _Parts(
        conv,
        functools.partial(_images_gradient, conv),
        functools.partial(_kernel_gradient, conv),
    )


def _images_gradient(conv: Conv, lhs: jax.Array, rhs: jax.Array, g: jax.Array) -> jax.Array:
    return jax.linear_transpose(lambda x: conv(x, rhs), lhs)(g)[0]


def _kernel_gradient(conv: Conv, lhs: jax.Array, rhs: jax.Array, g: jax.Array) -> jax.Array:
    return jax.linear_transpose(lambda k: conv(lhs, k), rhs)(g)[0]


def _chunked_kernel_gradient(conv: Conv, lhs: jax.Array, rhs: jax.Array, g: jax.Array) -> jax.Array:
    chunks = _chunk_count(g.shape)
    pairs = zip(jnp.split(lhs, chunks), jnp.split(g, chunks), strict=True)
    return functools.reduce(jnp.add, [_kernel_gradient(conv, part, rhs, g) for part, g in pairs])


def _thin_parts(
    plain: Conv,
    parts: _Parts,
    lhs: jax.Array,
    rhs: jax.Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
) -> _Parts:
    """`parts`, or in place of each what is faster with few channels on one side."""
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(lhs.shape[1:3], rhs.shape[:2], strides, padding)
    if lhs.dtype != rhs.dtype or not thin.suits(rhs, strides, padding):
        return parts
    taken, made = rhs.shape[2:]
    if (convolve := thin.choose(taken, made)) is not None:
        forward = functools.partial(convolve, padding=padding)
        if not thin.is_faster_alone(taken, made):
            forward = _replaced_if_mapped(plain, forward)
        parts = parts._replace(forward=forward)
    if (back := thin.choose(made, taken)) is not None:
        parts = parts._replace(
            to_images=lambda lhs, rhs, g: thin.images_gradient(g, rhs, padding, back)
        )
    if thin.has_faster_gradient(taken, made):
        parts = parts._replace(to_kernel=lambda lhs, rhs, g: thin.kernel_gradient(lhs, g, padding))
    return parts


def _chunk_count(shape: Sequence[int]) -> int:
    """The fewest equal chunks of the batch of `shape` that keep to the limits of a chunk."""
    return equal_parts(shape[0], min(_CHUNK_IMAGES, _CHUNK_SIZE // math.prod(shape[1:])))


def _called_for_each(fn: Callable) -> Callable:
    """`fn` whose batching rule is one call for each entry of the mapped axis, stacked."""
    fn = custom_vmap(fn)

    @fn.def_vmap
    def call_for_each(axis_size, in_batched, *args):
        calls = [
            fn(*(a[i] if mapped else a for a, mapped in zip(args, in_batched, strict=True)))
            for i in range(axis_size)
        ]
        return jnp.stack(calls), True

    return fn


def _replaced_if_mapped(fn: Callable, other: Callable) -> Callable:
    """`fn` whose batching rule is `other`, mapped, where its second argument, the kernel, is."""
    result = custom_vmap(fn)

    @result.def_vmap
    def replace(axis_size, in_batched, *args):
        del axis_size
        axes = [0 if mapped else None for mapped in in_batched]
        return jax.vmap(other if in_batched[1] else fn, axes)(*args), True

    return result


def _is_dilated_or_grouped(options: Mapping[str, Any]) -> bool:
    """Whether options of `jax.lax.conv_general_dilated` make more of it than a convolution."""
    dilation = [d for name in ("lhs_dilation", "rhs_dilation") for d in options.get(name) or ()]
    groups = [options.get(name, 1) for name in ("feature_group_count", "batch_group_count")]
    return any(number != 1 for number in dilation + groups)


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
    if _is_dilated_or_grouped(kwargs):
        raise NotImplementedError("convolution: matmul has no dilation and no groups; use grouped")
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
