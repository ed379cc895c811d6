"""A bank of latents that a model has seen: a queue of which only what was filled counts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np


class Bank(NamedTuple):
    """The latest latents.

    Attributes:
      latents: float32 `[Q, F]`; rows that were never filled mean nothing.
      count: int32 `[]`, how many ever came in.
    """

    latents: jax.Array
    count: jax.Array

    @property
    def filled(self) -> jax.Array:
        """Which rows hold a latent, bool `[Q]`."""
        return jnp.arange(len(self.latents)) < self.count


class WhitenedBank(NamedTuple):
    """A bank with its latents whitened by its own covariance, once for all that is looked up.

    Attributes:
      bank: the latents as they came in.
      mean: float32 `[1, F]`, of those.
      whiten: float32 `[F, F]`, the inverse of a root of their covariance.
      latents: float32 `[Q, F]`, whitened.
    """

    bank: Bank
    mean: jax.Array
    whiten: jax.Array
    latents: jax.Array


def empty_bank(size: int, width: int) -> Bank:
    """A bank without latents, for `size` of `width` numbers."""
    return Bank(jnp.zeros((size, width)), jnp.int32(0))


def forget(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of a model, or of several side by side, with empty banks.

    Latents of a network that has since changed mean nothing.
    """
    return {**variables, "risk": jax.tree.map(jnp.zeros_like, variables["risk"])}


def empty_whitened(size: int, width: int) -> WhitenedBank:
    """As `empty_bank`, of one that whitens."""
    bank = empty_bank(size, width)
    return WhitenedBank(bank, jnp.zeros((1, width)), jnp.eye(width), bank.latents)


def whiten(bank: Bank) -> WhitenedBank:
    """A bank with its latents whitened, so that no direction counts for its unit."""
    mean, matrix = _whitening(bank)
    return WhitenedBank(bank, mean, matrix, _product(bank.latents - mean, matrix))


def push_whitened(
    bank: WhitenedBank, latents: jax.Array, weights: jax.Array | None = None
) -> WhitenedBank:
    """As `push`; all that is in the bank is whitened anew."""
    return whiten(push(bank.bank, latents, weights))


def push(bank: Bank, latents: jax.Array, weights: jax.Array | None = None) -> Bank:
    """Latents `[B, F]` come in, in place of the oldest; of more than Q the last Q stay.

    Args:
      bank: before.
      latents: float32 `[B, F]`.
      weights: bool `[B]`, which of them count; None: all.
    """
    size = len(bank.latents)
    chex.assert_shape(latents, (None, bank.latents.shape[1]))
    taken = jnp.ones(len(latents), bool) if weights is None else weights.astype(bool)
    number = jnp.cumsum(taken) - 1  # of each that comes in
    came = taken.sum().astype(jnp.int32)
    stays = taken & (number >= came - size)
    place = jnp.where(stays, (bank.count + number) % size, size)  # `size` is no row: dropped
    new = jnp.asarray(bank.latents).at[place].set(latents, mode="drop")
    return Bank(new, bank.count + came)


def log_histogram(bank: Bank, latents: jax.Array, bins: int, smoothing: float) -> jax.Array:
    """The log of the product of marginal histograms of a bank, at latents `[B, F]`: `[B]`.

    Each of the F numbers has `bins` bins from its least to its greatest in the bank; the outer
    ones go on for ever. Numbers count as independent (Amini et al. 2019, section 3.3). The sum of
    logs stands in place of Capsa's product, which in float32 is 0 for many numbers.

    Args:
      bank: of latents; while it is empty all are equally likely.
      latents: to look up.
      bins: of each number.
      smoothing: added to each share before shares are made to sum to 1.
    """
    filled = bank.filled[:, None]
    least = jnp.where(filled, bank.latents, jnp.inf).min(axis=0, keepdims=True)
    most = jnp.where(filled, bank.latents, -jnp.inf).max(axis=0, keepdims=True)
    least, most = (jnp.where(bank.count > 0, edge, 0) for edge in (least, most))
    width = jnp.where(most > least, most - least, 1) / bins

    def bin_of(values):
        return jnp.clip(jnp.floor((values - least) / width), 0, bins - 1).astype(jnp.int32)

    each = jax.nn.one_hot(bin_of(bank.latents), bins) * filled[..., None]  # [Q, F, bins]
    share = each.sum(axis=0) / jnp.maximum(filled.sum(), 1) + smoothing
    log_share = jnp.log(share / share.sum(axis=1, keepdims=True))
    return jnp.take_along_axis(log_share.T, bin_of(latents), axis=0).sum(axis=1)


def log_density_of_neighbours(
    whitened: WhitenedBank, latents: jax.Array, neighbours: int
) -> jax.Array:
    """The log density at latents `[B, F]` by the k-th nearest of a bank: `[B]`.

    log k/n - log V - F log r, where r is the distance to the k-th nearest of n latents and V the
    volume of the unit ball (Loftsgaarden and Quesenberry 1965). Latents are whitened first by the
    bank's own covariance; the density is of whitened latents. A latent that lies in the bank is its
    own nearest.

    Args:
      whitened: a bank of latents, more than `neighbours` for a meaning; while it has fewer all
        densities are 0.
      latents: to look up.
      neighbours: k.
    """
    bank, mean, matrix, known = whitened
    asked = _product(latents - mean, matrix)
    products = _product(asked, known.T)
    square = jnp.square(asked).sum(1)[:, None] + jnp.square(known).sum(1)[None] - 2 * products
    square = jnp.where(bank.filled[None], square, jnp.inf)
    k = min(neighbours, len(known))
    nearest = known[jax.lax.top_k(-square, k)[1]]  # [B, k, F]
    # Measured again: far from the mean the difference above is rounded to nothing, or below.
    kth = jnp.square(asked[:, None] - nearest).sum(axis=2).max(axis=1)
    width = latents.shape[1]
    log_volume = width / 2 * np.log(np.pi) - jax.lax.lgamma(width / 2 + 1.0)
    count = jnp.minimum(bank.count, len(known))
    log_density = jnp.log(k / jnp.maximum(count, 1)) - log_volume
    log_density = log_density - width / 2 * jnp.log(jnp.maximum(kth, 1e-12))
    return jnp.where(count >= k, log_density, 0.0)


def _whitening(bank: Bank) -> tuple[jax.Array, jax.Array]:
    """Mean `[1, F]` and matrix `[F, F]` after which the bank's covariance is one."""
    weight = bank.filled[:, None] / jnp.maximum(bank.filled.sum(), 1)
    mean = (weight * bank.latents).sum(axis=0, keepdims=True)
    centred = bank.latents - mean
    covariance = _product((weight * centred).T, centred)
    # A direction in which nothing varies, or hardly, is not blown up: neither a single latent...
    variance = jnp.diagonal(covariance)
    scale = jax.lax.rsqrt(jnp.maximum(variance, jnp.maximum(1e-6 * variance.max(), 1e-12)))
    identity = jnp.eye(len(scale))
    # ... nor a sum of several.
    correlation = scale[:, None] * covariance * scale[None]
    # Any root of it gives the same distances, and this one is had soonest. Of many numbers that go
    # together, as when training begins, rounding may take more than the little that is added.
    root, safe = (jnp.linalg.cholesky(correlation + little * identity) for little in (1e-5, 1e-3))
    root = jnp.where(jnp.isfinite(root).all(), root, safe)
    whiten = jax.scipy.linalg.solve_triangular(root, identity, lower=True).T
    return mean, scale[:, None] * whiten


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """In float32 on accelerators too: distances are differences of what is much larger."""
    return jnp.matmul(a, b, precision="highest")
