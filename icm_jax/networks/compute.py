"""How networks compute: number formats and convolutions. Parameters are float32 always."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.networks.convolution import LOWERINGS, choose_lowering, conv_general_dilated
from icm_jax.networks.transposed import convolve_transposed

_FORMATS = {
    "float32": (jnp.float32, jax.lax.Precision.HIGHEST),
    "tf32": (jnp.float32, jax.lax.Precision.DEFAULT),
    "bfloat16": (jnp.bfloat16, jax.lax.Precision.DEFAULT),
}
PRECISIONS = tuple(_FORMATS)
CONVOLUTIONS = ("auto", *LOWERINGS)


class Compute(NamedTuple):
    """What every layer of a network is made with.

    Attributes:
      precision: 'float32'; 'tf32', float32 whose products may be rounded where the hardware does
        so (NVIDIA GPUs, TPUs; elsewhere it is float32); 'bfloat16' activations and products.
      convolution: one of `icm_jax.networks.convolution.LOWERINGS`, or 'auto': unrolled on a CPU
        and matmul elsewhere.
      platform: 'cpu', 'gpu' or 'tpu'; that of JAX's default device where it is empty.
    """

    precision: str = "float32"
    convolution: str = "auto"
    platform: str = ""

    @property
    def on_cpu(self) -> bool:
        """Whether it is for a CPU. Whatever depends on the platform depends on this."""
        return (self.platform or jax.default_backend()) == "cpu"

    @property
    def dtype(self) -> jnp.dtype:
        """Of activations."""
        return _FORMATS[self.precision][0]

    @property
    def product_precision(self) -> jax.lax.Precision:
        """Of products outside layers."""
        return _FORMATS[self.precision][1]

    def conv(
        self,
        features: int,
        size: int = 3,
        stride: int = 1,
        padding: str | Sequence[tuple[int, int]] = "SAME",
        around: Callable[[Callable], Callable] = lambda conv: conv,
        **others: Any,
    ) -> nn.Conv:
        """A convolution of `size` x `size`: `[B, H, W, C]` to `[B, H', W', features]` in `dtype`.

        With 'SAME' there are zeros around, and H' is H / stride, rounded up. `around` makes what
        is computed of the convolution, and `others` are further attributes of `flax.linen.Conv`.
        """
        dtype, precision = _FORMATS[self.precision]
        lowering = choose_lowering(self.convolution, self.on_cpu)
        return nn.Conv(
            features,
            (size, size),
            (stride, stride),
            padding=padding,
            dtype=dtype,
            precision=precision,
            conv_general_dilated=around(functools.partial(conv_general_dilated, lowering=lowering)),
            **others,
        )

    def conv_transposed(self, features: int, size: int, **others: Any) -> nn.Conv:
        """A transposed convolution of stride 2: `[B, H, W, C]` to `[B, 2H, 2W, features]`.

        `size` is at most 5; `others` as in `conv`.
        """
        around = functools.partial(convolve_transposed, on_cpu=self.on_cpu)
        return self.conv(features, size, around=around, **others)

    def dense(
        self, features: int, use_bias: bool = True, name: str | None = None, **others: Any
    ) -> nn.Dense:
        """A dense layer: `[..., C]` to `[..., features]` in `dtype`; `others` as in `conv`."""
        dtype, precision = _FORMATS[self.precision]
        return nn.Dense(features, use_bias, dtype=dtype, precision=precision, name=name, **others)
