"""What a model says of its inputs: predictions with what it does not know of them."""

from statistics import NormalDist
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp, xlogy

CLASSES, NUMBERS = "classification", "regression"


@flax.struct.dataclass
class Risk:
    """Predictions and their uncertainty. Fields that no wrapper gives are None.

    Regression has variances in squared units of the target, whose sum is the predictive variance.
    Classification has entropies in nats: `aleatoric` is the mean entropy, `epistemic` the mutual
    information of class and network, and their sum the entropy of `prediction`.

    Attributes:
      prediction: float32 `[B, D]` numbers, or `[B, L]` probabilities.
      aleatoric: noise of the data, which more data do not reduce; `[B, D]`, of classes `[B]`.
      epistemic: what networks that fit the data disagree about; likewise.
      density: log density of the inputs' latents among those that were observed, `[B]`.
      novelty: squared error of the inputs' reconstruction, summed over an input, `[B]`. It is high
        for what is unlike the training data, but low for whatever is flat or dark.
      task: 'regression' or 'classification'.
    """

    prediction: jax.Array
    aleatoric: jax.Array | None = None
    epistemic: jax.Array | None = None
    density: jax.Array | None = None
    novelty: jax.Array | None = None
    task: str = flax.struct.field(pytree_node=False, default=NUMBERS)

    # What has __getitem__ is iterable by default, and JAX's indices never run out.
    __iter__ = None

    def __getitem__(self, index: Any) -> "Risk":
        """The inputs at `index`, of all fields."""
        return jax.tree.map(lambda field: field[index], self)

    def known(self) -> dict[str, jax.Array]:
        """The fields that are there, by name, in the order in which they stand above."""
        names = ("prediction", "aleatoric", "epistemic", "density", "novelty")
        there = {name: getattr(self, name) for name in names}
        return {name: values for name, values in there.items() if values is not None}

    def total(self) -> jax.Array:
        """The predictive variance, or entropy: `aleatoric` and `epistemic`, what is there of them.

        Raises:
          ValueError: there is neither.
        """
        parts = [part for part in (self.aleatoric, self.epistemic) if part is not None]
        if not parts:
            raise ValueError("Risk: no uncertainty; wrap the network in mve, dropout or ensemble")
        return sum(parts[1:], parts[0])

    def std(self) -> jax.Array:
        """The predictive standard deviation in units of the target, `[B, D]`.

        Raises:
          ValueError: of classes, or without any uncertainty.
        """
        _check_numbers(self, "std")
        return jnp.sqrt(self.total())

    def interval(self, level: float) -> tuple[jax.Array, jax.Array]:
        """The central interval that a Gaussian of this mean and variance lies in with `level`.

        Args:
          level: probability, above 0 and below 1.

        Returns:
          Lower and upper ends, `[B, D]`.

        Raises:
          ValueError: of a level outside, of classes, or without any uncertainty.
        """
        if not 0 < level < 1:
            raise ValueError(f"level: {level!r} is not allowed; it must be above 0 and below 1")
        reach = half_width(level) * self.std()
        return self.prediction - reach, self.prediction + reach

    def affine(self, scale: Any, shift: Any) -> "Risk":
        """The risk of `scale * target + shift`: of a target that was standardized, say.

        Args:
          scale: a number, or one for each of the target's, `[D]`.
          shift: likewise.

        Raises:
          ValueError: of classes.
        """
        _check_numbers(self, "affine")
        scale, shift = (
            jnp.broadcast_to(jnp.asarray(by), self.prediction.shape) for by in (scale, shift)
        )
        aleatoric, epistemic = jax.tree.map(
            lambda variance: variance * scale**2, (self.aleatoric, self.epistemic)
        )
        prediction = self.prediction * scale + shift
        return self.replace(prediction=prediction, aleatoric=aleatoric, epistemic=epistemic)


def half_width(level: float) -> float:
    """Standard deviations from the mean to the end of a Gaussian's central interval."""
    return NormalDist().inv_cdf((1 + level) / 2)


def combine(risks: Risk) -> Risk:
    """The risk of a mixture of equals: the networks of an ensemble, or the passes of dropout.

    By the law of total variance `aleatoric` is the mean of theirs, and `epistemic` the variance of
    their predictions (divided by M - 1) plus the mean of theirs. Of classes the mutual information
    stands in place of the variance. `density` is that of the mixture, `novelty` the mean.

    Args:
      risks: leaves `[M, B, ...]`. One alone (M = 1) is what it was, bit for bit.

    Returns:
      Leaves `[B, ...]`.
    """
    count = len(risks.prediction)
    if count == 1:
        return risks[0]
    mean = jax.tree.map(lambda field: field.mean(axis=0), risks)
    if risks.task == CLASSES:
        # Entropy of the mean less mean entropy; what members say of themselves is contained.
        epistemic = jnp.maximum(entropy(mean.prediction) - mean.aleatoric, 0)
    else:
        epistemic = risks.prediction.var(axis=0, ddof=1)
        if risks.epistemic is not None:
            epistemic = epistemic + mean.epistemic
    density = risks.density
    if density is not None:
        density = logsumexp(density, axis=0) - jnp.log(count)
    return mean.replace(epistemic=epistemic, density=density)


def entropy(probabilities: jax.Array) -> jax.Array:
    """Of distributions `[..., L]`, in nats: `[...]`."""
    return -xlogy(probabilities, probabilities).sum(axis=-1)


def _check_numbers(risk: Risk, what: str) -> None:
    if risk.task != NUMBERS:
        raise ValueError(f"Risk.{what}: of regression alone; classes have entropies")
