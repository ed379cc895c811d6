"""A Flax network seen from outside: its output, what enters its last layer, and dropout in it.

The network is neither changed nor subclassed; Flax's interceptors look at its layers.
"""

import inspect
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

PyTree = Any
Variables = dict[str, PyTree]


class Dropout(NamedTuple):
    """Dropout of what enters the layers of a network (Gal and Ghahramani 2016).

    Attributes:
      rate: share that is dropped, from 0 to below 1; what stays is divided by 1 - rate.
      passes: how many are averaged in a prediction.
      inputs: whether what enters the first layer is dropped too.
    """

    rate: float = 0.1
    passes: int = 20
    inputs: bool = False


class Seen(NamedTuple):
    """What a network made of inputs.

    Attributes:
      output: float32 `[B, D]`.
      features: float32 `[B, F]`, what entered the last dense layer.
      batch_stats: running averages after it; {} where it has none.
    """

    output: jax.Array
    features: jax.Array
    batch_stats: PyTree


def look(
    network: nn.Module,
    variables: Variables,
    x: jax.Array,
    *,
    train: bool = False,
    key: jax.Array | None = None,
    dropout: Dropout | None = None,
) -> Seen:
    """Applies a network and looks at what it does.

    With `dropout` units of the inputs of dense layers and whole channels of those of convolutions
    are dropped. In training every input of the batch loses others; outside all lose the same, so
    that a pass is one function, whatever else is in the batch. Batch norm is left alone: it takes
    the batch's statistics with `train` only.

    Args:
      network: maps `[B, ...]` to `[B, D]` and ends in an `nn.Dense`. Where its `__call__` has an
        argument `train` it is given.
      variables: of the network.
      x: `[B, ...]`.
      train: whether it learns.
      key: typed key `[]`, for dropout; None where there is none.
      dropout: of the layers, or None.

    Raises:
      ValueError: the network has no dense layer, or its output is not a matrix.
    """
    arguments: dict[str, Any] = train_argument(network, train)
    if train:
        arguments |= {"mutable": ["batch_stats"], "rngs": {"dropout": key}}
    watch = _Watch(dropout if key is not None else None, key, alike=not train)
    with nn.intercept_methods(watch):
        made = network.apply(variables, x, **arguments)
    output, updates = made if train else (made, variables)
    if watch.features is None or output.ndim != 2:
        raise ValueError(
            f"network: {type(network).__name__} is not allowed; it must end in an nn.Dense and "
            f"give [B, D], not {list(output.shape)}"
        )
    features = watch.features.reshape(x.shape[0], -1)
    batch_stats = updates.get("batch_stats", {})
    return Seen(output.astype(jnp.float32), features.astype(jnp.float32), batch_stats)


def linear(params: PyTree, features: jax.Array) -> jax.Array:
    """A dense layer beside the network's, of features that `look` saw: `[B, F]` to `[B, D]`.

    No interceptor sees it, so nothing is dropped twice.
    """
    return jnp.matmul(features, params["kernel"], precision="highest") + params["bias"][None]


class _Watch:
    """An interceptor for one application: drops, and keeps what enters the last dense layer."""

    def __init__(self, dropout: Dropout | None, key: jax.Array | None, alike: bool):
        self.features: jax.Array | None = None
        self._dropout, self._key, self._alike, self._layers = dropout, key, alike, 0

    def __call__(self, call, args, kwargs, context) -> Any:
        dense = isinstance(context.module, nn.Dense)
        if context.method_name != "__call__" or not (dense or isinstance(context.module, nn.Conv)):
            return call(*args, **kwargs)
        x, *others = args
        if self._dropout and (self._layers > 0 or self._dropout.inputs):
            x = self._drop(x, dense)
        self._layers += 1
        if dense:
            self.features = x
        return call(x, *others, **kwargs)

    def _drop(self, x: jax.Array, dense: bool) -> jax.Array:
        shape = list(x.shape)
        if not dense:  # [B, H, W, C]: a channel as a whole
            shape[1:-1] = [1] * (x.ndim - 2)
        if self._alike:
            shape[0] = 1
        kept = 1 - self._dropout.rate
        key = jax.random.fold_in(self._key, self._layers)
        return jnp.where(jax.random.bernoulli(key, kept, shape), x / kept, 0)


def train_argument(network: nn.Module, train: bool) -> dict[str, bool]:
    """The argument `train` of a network, {} where it takes none."""
    takes = "train" in inspect.signature(type(network).__call__).parameters
    return {"train": train} if takes else {}
