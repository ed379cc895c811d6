"""Use of a finished regression: predictions of rows of one's own and what is not known of them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import paths
from icm_jax.data.image_files import check_is_no_pointer
from icm_jax.data.npz import read_npz
from icm_jax.system import PyTree
from icm_jax.systems.kind import Use
from icm_jax.systems.risk import predictor
from icm_jax.systems.risk.predictor import Describe, Predictor
from icm_jax.systems.risk.regression.config import SCHEMA
from icm_jax.systems.risk.regression.registry import make_models
from icm_jax.systems.risk.regression.steps import Models
from icm_jax.systems.risk.table_files import check_finite, read_csv
from icm_jax.systems.risk.wrappers.controller import Controller
from icm_jax.training import finished, output_folder


class _Trained(NamedTuple):
    """The part of a `Learner` that is used; its leaves have the paths that they have there."""

    variables: PyTree


class _State(NamedTuple):
    """The part of a `State` that is used."""

    learners: dict[str, _Trained]


def load(workdir: str | os.PathLike) -> Predictor:
    """The models of a finished run, of features in their own units.

    They are those of the first split. What it was scaled by, and the constant aleatoric risk of
    models without one of their own, is said in `summary.json`: the data need not be there. Of
    several wrappers each column begins with one's name, of a controller with a metric's.

    Args:
      workdir: its folder; of a run of several seeds the folder of one, such as `<run>/seed_0`.

    Raises:
      ValueError: there is no config of a regression in it.
      WorkdirError: the run is not finished, or of several seeds.
      CheckpointError: there is no undamaged checkpoint.
    """
    return _load(finished.read(workdir))


def read(source: str | os.PathLike, width: int, columns: Sequence[str] = ()) -> np.ndarray:
    """Reads rows of features, in the order of training: float32 `[N, D]`.

    Args:
      source: a `.csv`, a line of names and rows of numbers; or an `.npz` with an array `features`
        `[N, D]`.
      width: D.
      columns: the names of a `.csv` that are read, all others being left out. Where there are none
        it has the features in order, and the target may be the last column and is left out.

    Raises:
      ValueError: it is neither, has another number of columns or lacks one, or something that is
        no finite number.
      FileNotFoundError: there is no such file.
    """
    path = paths.local(source, "input")
    where, suffix = f"input: {str(path)!r}", path.suffix.lower()
    if suffix not in (".csv", ".npz"):
        raise ValueError(f"{where} is not allowed; it must be a .csv or an .npz")
    if not path.is_file():
        raise FileNotFoundError(f"input: there is no file {str(path)!r}")
    check_is_no_pointer(path, where)
    if suffix == ".csv":
        needed = "a line of names and rows of numbers are needed"
        names, rows = read_csv(path, 1, needed, "input")
        if columns:
            rows = _choose(where, names, rows, columns)
        most = width + 1
    else:
        (rows,), most = read_npz(path, ("features",), "input"), width
    if rows.dtype.kind not in "iuf":
        raise ValueError(f"{where} has features of {rows.dtype}; numbers are needed")
    if rows.ndim != 2 or not len(rows) or not width <= rows.shape[1] <= most:
        target = ", or one more, the target, which is left out" if most > width else ""
        raise ValueError(
            f"{where} has numbers of shape {rows.shape}; the run was trained on {width} features, "
            f"[N, {width}]{target}"
        )
    with np.errstate(over="ignore"):
        features = rows[:, :width].astype(np.float32)
    check_finite(where, features)
    return features


def _choose(
    where: str, names: Sequence[str], rows: np.ndarray, columns: Sequence[str]
) -> np.ndarray:
    """The columns of `rows` that are called so."""
    for name in columns:
        if names.count(name) != 1:
            found = "several columns" if name in names else "no column"
            raise ValueError(
                f"{where} has {found} {name!r}; the run was trained on {', '.join(columns)}"
            )
    return rows[:, [names.index(name) for name in columns]]


def _load(run: finished.Finished) -> Predictor:
    run.check(SCHEMA)
    known = _from_json(run.said("first_split"))
    width, splits = len(known["features"]["shift"]), run.said("splits")
    models, example = make_models(run.config, width), jnp.zeros((1, width))

    def start(key: jax.Array) -> _State:
        keys = jax.random.split(key, splits)
        init = {name: jax.vmap(lambda k, m=m: m.init(k, example)) for name, m in models.items()}
        return _State({name: _Trained(of(keys)) for name, of in init.items()})

    learners = run.saved().state(start).learners
    variables = {name: learner.variables for name, learner in learners.items()}
    variables = jax.device_put(jax.tree.map(lambda leaf: leaf[0], variables))
    return Predictor(
        _make_describe(models, known),
        variables,
        (width,),
        any(model.draws for model in models.values()),
        tuple(title for name in models for title in _titles(models, name).values()),
    )


def _make_describe(models: Models, known: dict[str, dict[str, np.ndarray]]) -> Describe:
    """What `Predictor` asks for; `variables` are by wrapper, features in their units.

    Args:
      models: by wrapper.
      known: of the first split, see `evaluation.evaluate`; leaves float64.
    """
    scale, shift = (known["features"][name] for name in ("scale", "shift"))
    rounded = shift.astype(np.float32)
    rest = (shift - rounded).astype(np.float32)
    target = [known["target"][name].astype(np.float32) for name in ("scale", "shift")]

    def describe(variables, features, key):
        # In two parts: a mean far above the deviation is rounded by more than is left of it. The
        # compiler would add them up.
        near = jax.lax.optimization_barrier(features - rounded[None])
        features = (near - rest[None]) / scale.astype(np.float32)[None]
        found = {}
        for name, model in models.items():
            risks = model.predict(variables[name], features, key)
            for metric, title in _titles(models, name).items():
                risk = risks[metric] if isinstance(model, Controller) else risks
                risk = risk.affine(*target)
                if risk.aleatoric is None:
                    noise = known["noise"][f"{name} {metric}".strip()]
                    risk = risk.replace(aleatoric=jnp.full_like(risk.prediction, noise))
                found[title] = risk
        return found

    return describe


def _titles(models: Models, name: str) -> dict[str, str]:
    """By the metrics of a model, '' where it is no controller, what their columns begin with."""
    model, first = models[name], name if len(models) > 1 else ""
    metrics = model.metrics if isinstance(model, Controller) else ("",)
    return {metric: f"{first}_{metric}".strip("_") for metric in metrics}


def _from_json(said: Any) -> Any:
    """Dicts of numbers and lists of them, as float64; null is an infinite one."""
    if isinstance(said, dict):
        return {name: _from_json(value) for name, value in said.items()}
    listed = [np.inf if value is None else value for value in np.atleast_1d(said).tolist()]
    return np.array(listed if isinstance(said, list) else listed[0], np.float64)


def _predict(workdir: Path, source: Path, output: Path) -> str:
    run = finished.read(workdir)
    models = _load(run)
    features = read(source, *models.shape, run.summary.get("columns", ()))
    folder = output_folder(output)
    rows = [str(row) for row in range(len(features))]
    table = predictor.write(folder, rows, models(features), "row")
    return f"{len(rows)} rows predicted\n{table}"


def _export(workdir: Path, source: None, output: Path) -> str:
    del source
    run = finished.read(workdir)
    names = run.config.wrappers
    if len(names) > 1:
        raise ValueError(
            f"wrappers: {tuple(names)!r} is not allowed with --mode=export; it must be one alone"
        )
    _load(run).export(output)
    return str(output)


USES = {"predict": Use(_predict, takes_input=True), "export": Use(_export)}
