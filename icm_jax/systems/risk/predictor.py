"""A trained model that is used: its predictions and risks as columns, in files or as a file."""

import contextlib
import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import exported, paths
from icm_jax.chunks import in_chunks
from icm_jax.systems.risk.wrappers import Risk
from icm_jax.systems.risk.wrappers.result import CLASSES
from icm_jax.training import reasons

PyTree = Any
Columns = Mapping[str, jax.Array | np.ndarray]
# (variables, float32 [B, *shape], key) -> title -> Risk
Describe = Callable[[PyTree, jax.Array, jax.Array], Mapping[str, Risk]]

_CHUNK = 250  # inputs a call


class Predictor(NamedTuple):
    """What a finished run says of inputs.

    Attributes:
      describe: `(variables, float32 [B, *shape], key) -> title -> Risk`.
      variables: of the model.
      shape: of one input.
      draws: whether it draws what dropout drops, so that answers depend on a seed.
      titles: of its risks in order, '' for the only one; what their columns begin with.
    """

    describe: Describe
    variables: PyTree
    shape: tuple[int, ...]
    draws: bool
    titles: tuple[str, ...] = ("",)

    def __call__(self, inputs: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
        """Columns of float32 inputs `[N, *shape]`, some at a time: name -> float32 `[N]`.

        With seed 0 dropout drops what it does in the run's own evaluations.
        """
        describe, key = jax.jit(self.describe), jax.random.key(seed)
        risks = in_chunks(
            lambda index: describe(self.variables, inputs[index], key),
            len(inputs),
            _CHUNK,
            "predict",
        )
        return self._columns(risks)

    def export(self, path: str | os.PathLike) -> None:
        """Writes the model as one file, see `icm_jax.exported.write`.

        It is a function of float32 `[b, *shape]` and, where the model draws, of a uint32 seed. It
        returns a dict as a call does.

        Raises:
          ValueError, WorkdirError: as `icm_jax.exported.write`.
        """

        def answer(inputs: jax.Array, seed: jax.Array | int = 0) -> Columns:
            return self._columns(self.describe(self.variables, inputs, jax.random.key(seed)))

        seeds = [jax.ShapeDtypeStruct((), jnp.uint32)] * self.draws
        exported.write(answer, self.shape, path, seeds)

    def _columns(self, risks: Mapping[str, Risk]) -> dict[str, Any]:
        # By titles: jit sorts what it returns.
        return {k: v for name in self.titles for k, v in columns(risks[name], name).items()}


def columns(risk: Risk, title: str = "") -> dict[str, Any]:
    """What there is of a risk of one target, float32 `[B]` each, as `<title>_<field>`.

    Of two classes the prediction is the probability of class 1, of numbers the number.
    """
    place = 1 if risk.task == CLASSES else 0
    return {
        f"{title}_{field}".strip("_"): values[:, place if field == "prediction" else 0]
        if values.ndim == 2
        else values
        for field, values in risk.known().items()
    }


def write(folder: Path, names: Sequence[str], found: Columns, title: str = "name") -> Path:
    """Writes `predictions.csv`, a row an input, and `predictions.npz`, an array a column.

    Both are whole before either takes the place of an older one.

    Args:
      folder: see `icm_jax.training.output_folder`.
      names: of the inputs, the first column of the CSV.
      found: the other columns, `[N]` each.
      title: of the first column.

    Returns:
      The path of the CSV.

    Raises:
      WorkdirError: they cannot be written; the older files stand.
    """
    table, arrays = folder / "predictions.csv", folder / "predictions.npz"
    with reasons(folder), contextlib.ExitStack() as both:
        first, second = (both.enter_context(paths.replaced(path)) for path in (table, arrays))
        with first.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.writer(file)
            rows.writerow((title, *found))
            rows.writerows(zip(names, *found.values(), strict=True))
        with second.open("wb") as file:  # NumPy would add its suffix to a name.
            np.savez(file, **found)
    return table
