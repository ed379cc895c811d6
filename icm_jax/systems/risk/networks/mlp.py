"""A network of dense layers, for tables."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax

from icm_jax.networks.compute import Compute


class MLP(nn.Module):
    """Dense layers with a function between them: linear in its inputs where there is one alone.

    Attributes:
      outputs: numbers that it gives.
      hidden: widths of the layers before the last.
      activation: after each of them.
      compute: number formats.
    """

    outputs: int
    hidden: Sequence[int] = (50,)
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, D]` to `[B, outputs]`."""
        for width in self.hidden:
            x = self.activation(self.compute.dense(width)(x))
        return self.compute.dense(self.outputs)(x)
