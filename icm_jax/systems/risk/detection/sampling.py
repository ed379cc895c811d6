"""Which images a batch is made of: faces by weights that follow what is not known of them."""

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.risk.groups import FACE
from icm_jax.systems.risk.wrappers import Risk


def draw_halves(key: jax.Array, weights: jax.Array, labels: jax.Array, count: int) -> jax.Array:
    """Draws images by their weights, with replacement; one half of them are faces.

    Args:
      key: typed key `[]`.
      weights: float32 `[N]`, from 0 on.
      labels: int32 `[N]`, `FACE` or 0.
      count: B, even.

    Returns:
      int32 `[B]`; faces and others take turns, so that each device has its part of both.
    """
    faces_key, others_key = jax.random.split(key)
    faces = _draw(faces_key, jnp.where(labels == FACE, weights, 0), count // 2)
    others = _draw(others_key, jnp.where(labels == FACE, 0, weights), count // 2)
    return jnp.stack([faces, others], axis=1).reshape(count)


def weigh_scores(log_scores: np.ndarray, power: float, most: float) -> np.ndarray:
    """Weights of faces by scores that are low for those to be drawn more often.

    score^-power, in logarithms, relative to that of the median face, and cut off below 1 and above
    `most`: no face is drawn more rarely than the ordinary, and none is learned by heart.

    Args:
      log_scores: float `[F]`, of a density, or the negative log of an uncertainty.
      power: 0 makes all alike, 1 draws evenly from the space in which the density is one.
      most: the largest weight.

    Returns:
      float32 `[F]`, from 1 to `most`.
    """
    relative = -power * (log_scores - np.median(log_scores))
    return np.exp(np.clip(relative, 0, np.log(most))).astype(np.float32)


def weigh_risk(risk: Risk, by: str, power: float, most: float) -> np.ndarray:
    """Weights of faces by what a model does not know of them, float32 `[F]`.

    Args:
      risk: of the faces, arrays `[F, ...]`.
      by: 'density', 'epistemic' or 'both', their product (but not above `most`).
      power: see `weigh_scores`.
      most: likewise.
    """
    weights = np.float32(1)
    if by in ("density", "both"):
        weights = weights * weigh_scores(np.asarray(risk.density), power, most)
    if by in ("epistemic", "both"):
        # What is known entirely is not infinitely less than what is hardly unknown.
        uncertainty = np.maximum(np.asarray(risk.epistemic), 1e-6)
        weights = weights * weigh_scores(-np.log(uncertainty), power, most)
    return np.minimum(weights, np.float32(most))


def weigh_groups(group: np.ndarray) -> np.ndarray:
    """Weights by which all groups `[F]` are drawn equally often, float32 `[F]`, of mean 1."""
    _, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    return (len(group) / len(counts) / counts[inverse]).astype(np.float32)


def _draw(key: jax.Array, weights: jax.Array, count: int) -> jax.Array:
    ends = jnp.cumsum(weights)
    # Rounding must not lead beyond the last image that has a weight.
    chance = jnp.minimum(
        jax.random.uniform(key, (count,)) * ends[-1], jnp.nextafter(ends[-1], jnp.float32(0))
    )
    return jnp.searchsorted(ends, chance, side="right").astype(jnp.int32)
