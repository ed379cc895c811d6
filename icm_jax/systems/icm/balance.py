"""Near ties between experts go to the one that wins less.

So two experts that divide one mechanism come apart. This departs from the paper
(`competition.balance: 0` turns it off). Mixtures of experts are balanced by such biases (Wang et
al. 2024, Auxiliary-Loss-Free Load Balancing); these are bounded, since mechanisms may differ in
frequency.
"""

import chex
import jax
import jax.numpy as jnp


def handicaps(share: jax.Array, balance: float) -> jax.Array:
    """What is added to the logits of each expert when winners are chosen.

    Args:
      share: float32 `[E]`, running shares of wins, see `restarts.running_share`; sums to 1.
      balance: logits an expert loses when it wins e times as much as the mean; 0: none.

    Returns:
      float32 `[E]` in [-1, 1].

    Raises:
      AssertionError: `share` is not `[E]`.
    """
    chex.assert_rank(share, 1)
    excess = jnp.log(jnp.maximum(share * share.shape[0], jnp.finfo(share.dtype).tiny))
    return jnp.clip(-balance * excess, -1.0, 1.0)
