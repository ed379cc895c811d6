"""Refusals of what cannot be measured, each one line that names the argument."""

import numpy as np

from icm_jax.evaluation import indices

_SUM_TOLERANCE = 1e-2  # of a class distribution that was computed in 16 bits


def as_float64(name: str, array: np.ndarray, axes: str) -> np.ndarray:
    """Takes an array as float64.

    Args:
      name: what the message calls it.
      array: numbers or booleans.
      axes: one letter for each axis that it must have.

    Raises:
      ValueError: it has other axes, or no entry.
    """
    array = np.asarray(array, np.float64)
    if array.ndim != len(axes) or not array.size:
        raise ValueError(
            f"{name}: the shape is {list(array.shape)}; it must be [{', '.join(axes)}], not empty"
        )
    return array


def vectors(**arrays: np.ndarray) -> list[np.ndarray]:
    """Takes arrays by name as float64 `[N]`, all of the N of the first.

    Raises:
      ValueError: one has another shape, or no entry.
    """
    taken = {name: as_float64(name, array, "N") for name, array in arrays.items()}
    first, wanted = next((name, array.shape) for name, array in taken.items())
    for name, array in taken.items():
        require_shape(name, array, wanted, first)
    return list(taken.values())


def require_shape(name: str, array: np.ndarray, shape: tuple[int, ...], model: str) -> None:
    """Refuses an array that has not the shape that another, called `model`, asks for."""
    if array.shape != shape:
        raise ValueError(
            f"{name}: the shape is {list(array.shape)}; with {model} it must be {list(shape)}"
        )


def require_positive(name: str, array: np.ndarray) -> None:
    """Refuses numbers of 0 or less; nan passes, and makes what is measured nan."""
    if (array <= 0).any():
        raise ValueError(f"{name}: {np.nanmin(array)} is not allowed; all must be above 0")


def require_not_negative(name: str, array: np.ndarray) -> None:
    """Refuses numbers below 0; nan passes, and makes what is measured nan."""
    if (array < 0).any():
        raise ValueError(f"{name}: {np.nanmin(array)} is not allowed; none may be below 0")


def distributions(probabilities: np.ndarray) -> np.ndarray:
    """Takes probabilities of classes as float64 `[N, L]`.

    Raises:
      ValueError: they have another shape or no entry, one is negative, or those of an example do
        not add up to 1 (logits, or the positive class alone).
    """
    probabilities = as_float64("probabilities", probabilities, "NL")
    require_not_negative("probabilities", probabilities)
    wrong = np.flatnonzero(np.abs(probabilities.sum(axis=1) - 1) > _SUM_TOLERANCE)
    if wrong.size:
        total = probabilities[wrong[0]].sum()
        raise ValueError(
            f"probabilities: those of example {wrong[0]} add up to {total:.4g}; they must to 1"
        )
    return probabilities


def classified(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes probabilities of classes, float64 `[N, L]`, and labels, int `[N]` in `[0, L)`.

    Raises:
      ValueError: see `distributions`; or there is not one label an example, of an integer type
        and in range.
    """
    probabilities = distributions(probabilities)
    labels = np.asarray(labels)
    require_shape("labels", labels, probabilities.shape[:1], "probabilities")
    if labels.dtype.kind not in "biu":
        raise ValueError(f"labels: {labels.dtype} is not allowed; they must be integers")
    labels = labels.astype(np.int64)
    indices.check("labels", labels, probabilities.shape[1])
    return probabilities, labels
