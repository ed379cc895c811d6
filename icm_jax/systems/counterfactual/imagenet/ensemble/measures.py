"""What invariant classifiers are measured by, from what they say of images."""

from collections.abc import Mapping

import chex
import numpy as np

from icm_jax.systems.counterfactual.imagenet import classes


def accuracy(logits: np.ndarray, labels: np.ndarray, most: int = 1) -> float:
    """The share of N images whose label is among the `most` highest logits `[N, L]`.

    Where there are fewer classes than `most`, all of them.
    """
    chex.assert_shape(labels, logits.shape[:1])
    best = np.argsort(-logits, axis=1, kind="stable")[:, :most]
    return float((best == labels[:, None]).any(axis=1).mean())


def decide(logits: np.ndarray, categories: Mapping[str, np.ndarray]) -> np.ndarray:
    """The category of N images: that of the highest mean probability of its classes.

    Args:
      logits: `[N, 1000]`.
      categories: name -> indices, see `classes.cue_conflict`.

    Returns:
      Indices of categories, int `[N]`, in the order of the mapping; of equal ones the first.
    """
    chex.assert_rank(logits, 2)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    means = [probabilities[:, indices].mean(axis=1) for indices in categories.values()]
    return np.stack(means, axis=1).argmax(axis=1)


def shape_bias(decided: np.ndarray, shapes: np.ndarray, textures: np.ndarray) -> float | None:
    """How many of the images that are told by shape or texture are told by shape, a share.

    Images whose shape and texture are of one category tell nothing and are left out (Geirhos et
    al. 2019).

    Args:
      decided: what N images are said to be, int `[N]`.
      shapes: what their shape is of, likewise.
      textures: what their texture is of, likewise.

    Returns:
      None where no image is told by either.
    """
    chex.assert_equal_shape([decided, shapes, textures])
    conflict = shapes != textures
    by_shape = int((conflict & (decided == shapes)).sum())
    by_texture = int((conflict & (decided == textures)).sum())
    total = by_shape + by_texture
    return by_shape / total if total else None


def in9_accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """The share of N images that are told right, of ImageNet-9's nine classes.

    A prediction that belongs to none of them is wrong. The published code divides by the images of
    full batches instead, which is more than there are.

    Args:
      logits: `[N, 1000]`.
      labels: 0 to 8, int `[N]`.
    """
    chex.assert_shape(logits, (len(labels), classes.IMAGENET))
    return float((classes.to_in9()[logits.argmax(axis=1)] == labels).mean())
