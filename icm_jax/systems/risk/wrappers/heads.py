"""What looks at a network's features beside its output: an autoencoder, and banks of latents."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.systems.risk.wrappers.bank import (
    empty_bank,
    empty_whitened,
    log_density_of_neighbours,
    log_histogram,
    push,
    push_whitened,
)
from icm_jax.systems.risk.wrappers.network import linear

PyTree = Any


class Head(NamedTuple):
    """Something beside the output of a network.

    Attributes:
      name: of its parameters and its bank.
      init: `(key, x, features) -> (params, bank)`; {} and None where it has none.
      loss: `(params, x, features, key) -> losses [B]`, added to the likelihood's; None: none.
      describe: `(params, bank, x, features) -> fields of Risk by name`.
      observe: `(bank, latents, counts) -> bank`; None where it has no bank.
      latents: `(params, features) -> [B, F]`, which heads after it look at; None: as before it.
      of: the class of which alone it learns; None: of all examples.
    """

    name: str
    init: Callable[[jax.Array, jax.Array, jax.Array], tuple[PyTree, PyTree]]
    describe: Callable[[PyTree, PyTree, jax.Array, jax.Array], Mapping[str, jax.Array]]
    loss: Callable[[PyTree, jax.Array, jax.Array, jax.Array], jax.Array] | None = None
    observe: Callable[[PyTree, jax.Array, jax.Array], PyTree] | None = None
    latents: Callable[[PyTree, jax.Array], jax.Array] | None = None
    of: int | None = None


def autoencoder(
    decoder: nn.Module,
    latent: int,
    weight: float,
    beta: float,
    capsa: bool = False,
    of: int | None = None,
) -> Head:
    """A variational autoencoder on a network's features (Kingma and Welling 2014).

    Mean and log standard deviation of the latents are linear in the features. The loss is
    `weight * (half the squared error of the reconstruction + beta * KL)`, both summed: with
    weight and beta 1 the negative evidence bound, but for a constant, of pixels with variance 1.

    Args:
      decoder: maps latents `[B, F]` to reconstructions of the shape of inputs.
      latent: F.
      weight: of this loss beside that of the output.
      beta: of the divergence.
      capsa: takes the loss as Capsa 0.1.5 has it: the whole squared error, and a mean in the
        divergence in which the logarithm stands for the standard deviation and half of it is drawn
        with.
      of: the class that it learns, alone (Amini et al. 2019: faces); None: all examples.
    """

    def encode(params, features):
        mean, log_std = jnp.split(linear(params, features), 2, axis=-1)
        return mean, log_std

    def init(key, x, features):
        kernel_key, decoder_key = jax.random.split(key)
        kernel = nn.initializers.lecun_normal()(kernel_key, (features.shape[1], 2 * latent))
        params = {"kernel": kernel, "bias": jnp.zeros(2 * latent)}
        return params | {"decoder": _init_decoder(decoder, decoder_key, latent, x.shape)}, None

    def decode(params, latents):
        return decoder.apply({"params": params["decoder"]}, latents)

    def loss(params, x, features, key):
        mean, log_std = encode(params, features)
        noise = jax.random.normal(key, mean.shape)
        drawn = mean + jnp.exp(log_std / 2 if capsa else log_std) * noise
        error = _squared_error(x, decode(params, drawn))
        each = jnp.square(mean) + jnp.exp(2 * log_std) - 1 - (1 if capsa else 2) * log_std
        if capsa:
            return weight * (error + beta * each.mean(axis=1) / 2)
        return weight * (error + beta * each.sum(axis=1)) / 2

    def describe(params, bank, x, features):
        del bank
        return {"novelty": _squared_error(x, decode(params, encode(params, features)[0]))}

    return Head(
        "vae",
        init,
        describe,
        loss,
        latents=lambda params, features: encode(params, features)[0],
        of=of,
    )


def _init_decoder(
    decoder: nn.Module, key: jax.Array, latent: int, shape: tuple[int, ...]
) -> PyTree:
    """Parameters of a decoder of `latent` numbers to inputs of a shape `[B, ...]`.

    Raises:
      ValueError: it has more than parameters, or gives another shape.
    """
    name, example = type(decoder).__name__, jnp.zeros((1, latent))
    variables = decoder.init(key, example)
    if set(variables) != {"params"}:
        raise ValueError(
            f"decoder: {name} has {', '.join(sorted(variables))}; it must have params alone, so no "
            "batch norm"
        )
    made = jax.eval_shape(decoder.apply, variables, example)
    if made.shape[1:] != shape[1:]:
        raise ValueError(
            f"decoder: {name} gives {list(made.shape[1:])}, not the inputs' {list(shape[1:])}"
        )
    return variables["params"]


def histogram(bins: int, size: int, smoothing: float) -> Head:
    """Density by marginal histograms of the latents, see `bank.log_histogram`."""

    def look_up(bank, latents):
        return log_histogram(bank, latents, bins, smoothing)

    return _banked("histogram", functools.partial(empty_bank, size), push, look_up)


def nearest(neighbours: int, size: int) -> Head:
    """Density by the k-th nearest latent, see `bank.log_density_of_neighbours`."""

    def look_up(bank, latents):
        return log_density_of_neighbours(bank, latents, neighbours)

    return _banked("density", functools.partial(empty_whitened, size), push_whitened, look_up)


def _banked(
    name: str,
    make_empty: Callable[[int], PyTree],
    observe: Callable[..., PyTree],
    look_up: Callable[[PyTree, jax.Array], jax.Array],
) -> Head:
    return Head(
        name,
        init=lambda key, x, latents: ({}, make_empty(latents.shape[1])),
        describe=lambda params, bank, x, latents: {"density": look_up(bank, latents)},
        observe=observe,
    )


def _squared_error(x: jax.Array, y: jax.Array) -> jax.Array:
    """Summed over everything but the batch, float32 `[B]`."""
    return jnp.square(x.astype(jnp.float32) - y).reshape(x.shape[0], -1).sum(axis=1)
