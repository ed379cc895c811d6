"""What a network's output says of the target: losses of examples, predictions, aleatoric risk."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from icm_jax.systems.risk.wrappers.network import Seen, linear
from icm_jax.systems.risk.wrappers.result import CLASSES, NUMBERS, Risk, entropy

PyTree = Any
_FLOOR = 1e-6  # of a variance (Lakshminarayanan et al. 2017)
_AT_ONE = 0.5413248546  # softplus of it is 1


class Likelihood(NamedTuple):
    """How a network's output is read.

    Attributes:
      task: 'regression' or 'classification'.
      init: `(key, seen) -> params` of a head beside the network's last layer; {} without one.
      loss: `(params, seen, targets, key) -> losses [B]`.
      describe: `(params, seen) -> Risk`.
    """

    task: str
    init: Callable[[jax.Array, Seen], PyTree]
    loss: Callable[[PyTree, Seen, jax.Array, jax.Array], jax.Array]
    describe: Callable[[PyTree, Seen], Risk]


def squared() -> Likelihood:
    """Numbers with noise of one size: half the squared error. Targets are `[B, D]`."""

    def loss(params, seen, targets, key):
        del params, key
        chex.assert_equal_shape([seen.output, targets])
        return jnp.square(targets - seen.output).sum(axis=1) / 2

    return Likelihood(NUMBERS, _no_head, loss, lambda params, seen: Risk(seen.output))


def gaussian(beta: float) -> Likelihood:
    """Mean and variance of a Gaussian for each number (Nix and Weigend 1994).

    The network's output is the mean; the variance is softplus of a linear head on what enters the
    last layer. The loss is -log N(y; mean, variance), times variance^beta, which is taken as a
    constant (Seitzer et al. 2022): 0 is the negative log likelihood, 1 weighs all errors alike.
    """

    def variance(params, seen):
        return jax.nn.softplus(linear(params, seen.features)) + _FLOOR

    def init(key, seen):
        del key
        width, numbers = seen.features.shape[1], seen.output.shape[1]
        return {
            "kernel": jnp.zeros((width, numbers)),
            "bias": jnp.full(numbers, _AT_ONE, jnp.float32),
        }

    def loss(params, seen, targets, key):
        del key
        chex.assert_equal_shape([seen.output, targets])
        of = variance(params, seen)
        nll = gaussian_nll(targets, seen.output, of)
        return (jax.lax.stop_gradient(of) ** beta * nll).sum(axis=1)

    def describe(params, seen):
        return Risk(seen.output, variance(params, seen))

    return Likelihood(NUMBERS, init, loss, describe)


def categorical() -> Likelihood:
    """Classes, int32 `[B]`, by the softmax of logits; one logit alone is that of class 1."""

    def loss(params, seen, targets, key):
        del params, key
        chex.assert_shape(targets, (len(seen.output),))
        logits = _all_logits(seen.output)
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets)

    def describe(params, seen):
        del params
        probabilities = jax.nn.softmax(_all_logits(seen.output))
        return Risk(probabilities, entropy(probabilities), task=CLASSES)

    return Likelihood(CLASSES, _no_head, loss, describe)


def noisy_logits(samples: int) -> Likelihood:
    """Classes by logits with Gaussian noise of a size that depends on the input.

    Probabilities are the mean over draws of the softmax, its log the loss (Kendall and Gal 2017,
    equation 12). A prediction takes the same draws always and for all inputs.

    Args:
      samples: draws of the noise, at least 1.
    """

    def log_probabilities(params, seen, key, alike):
        logits = _all_logits(seen.output)
        std = jnp.sqrt(jax.nn.softplus(linear(params, seen.features)) + _FLOOR)
        rows = 1 if alike else len(logits)
        noise = jax.random.normal(key, (samples, rows, logits.shape[1]))
        return jax.nn.log_softmax(logits[None] + std[None] * noise)

    def init(key, seen):
        del key
        classes = _all_logits(seen.output).shape[1]
        width = seen.features.shape[1]
        return {
            "kernel": jnp.zeros((width, classes)),
            "bias": jnp.full(classes, _AT_ONE, jnp.float32),
        }

    def loss(params, seen, targets, key):
        chex.assert_shape(targets, (len(seen.output),))
        each = log_probabilities(params, seen, key, alike=False)
        of_target = jnp.take_along_axis(each, targets[None, :, None], axis=2)[..., 0]
        return jnp.log(samples) - jax.nn.logsumexp(of_target, axis=0)

    def describe(params, seen):
        each = log_probabilities(params, seen, jax.random.key(0), alike=True)
        mean = jnp.exp(each).mean(axis=0)
        return Risk(mean, entropy(mean), task=CLASSES)

    return Likelihood(CLASSES, init, loss, describe)


def gaussian_nll(targets: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    """-log N(y; mean, variance) of each number, all of one shape."""
    return (jnp.log(2 * jnp.pi * variance) + jnp.square(targets - mean) / variance) / 2


def _all_logits(output: jax.Array) -> jax.Array:
    """Logits `[B, L]`; one alone, `[B, 1]`, becomes that of class 1 beside 0."""
    return jnp.pad(output, ((0, 0), (1, 0))) if output.shape[1] == 1 else output


def _no_head(key: jax.Array, seen: Seen) -> PyTree:
    del key, seen
    return {}
