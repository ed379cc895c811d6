"""Tables of numbers for regression: features, one target, and the splits into train and test."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from icm_jax import paths
from icm_jax.data import wheels
from icm_jax.data.image_files import check_is_no_pointer
from icm_jax.data.npz import read_npz
from icm_jax.systems.risk.table_files import check_finite, read_csv

BUNDLED = "diabetes"
# What the literature calls the UCI sets -> what their files with the standard splits are called.
FILES = {
    "boston": "bostonHousing",
    "naval": "naval-propulsion-plant",
    "power": "power-plant",
    "protein": "protein-tertiary-structure",
    "wine": "wine-quality-red",
}
SPLITS = 20
TEST_FRACTION = 0.1

_NEEDED = "a line of at least two names and rows of numbers are needed, the target last"
_PACKAGE = "scikit-learn"
_FOLDER = "sklearn/datasets/data"


class Table(NamedTuple):
    """N rows of numbers, and S ways of choosing those to test on.

    Attributes:
      features: float32 `[N, D]`.
      targets: float32 `[N, 1]`.
      test: bool `[S, N]`, a row a split: which rows of the table it tests on.
      name: of the table.
      columns: D names of the features, or none.
    """

    features: np.ndarray
    targets: np.ndarray
    test: np.ndarray
    name: str
    columns: tuple[str, ...] = ()


class Standardized(NamedTuple):
    """One split of a table; by mean and standard deviation of its training rows.

    A target in its own unit is `target * scale + shift`, a variance `variance * scale**2`.

    Attributes:
      train_features: float32 `[n, D]`, each column of mean 0 and standard deviation 1.
      train_targets: float32 `[n, 1]`, likewise.
      test_features: float32 `[m, D]`.
      test_targets: float32 `[m, 1]`.
      scale: float32 `[1]`, the standard deviation of the targets.
      shift: float32 `[1]`, their mean.
      feature_scale: float64 `[D]`, those of the features: features are
        `(in their unit - feature_shift) / feature_scale`. Infinite for one that is constant.
      feature_shift: float64 `[D]`.
    """

    train_features: np.ndarray
    train_targets: np.ndarray
    test_features: np.ndarray
    test_targets: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    feature_scale: np.ndarray
    feature_shift: np.ndarray


def load_table(name: str, root: str = "") -> Table:
    """Loads a table by name.

    - `diabetes`: 442 rows, 10 features, in the wheel of scikit-learn; `draw_splits` splits it.
    - any other is the file `<name>.npz` in a folder, with numbers `features` `[N, D]` and
      `target` `[N]` and bool `test` `[S, N]`; the names of the UCI sets may be short (`FILES`).
    - or `<name>.csv`: a line of names, then rows of numbers, the target last; `draw_splits`
      splits it.

    Args:
      name: of the table.
      root: the folder; unused by `diabetes`.

    Raises:
      FileNotFoundError: there is no such folder or file, or scikit-learn is not installed.
      ValueError: an array is missing or of a wrong shape, a number is missing or not finite, or
        a split has nothing to train or to test on.
    """
    if name == BUNDLED:
        return _diabetes()
    path = _find(name, root)
    check_is_no_pointer(path, f"data.dir: {str(path)!r}")
    if path.suffix == ".csv":
        names, rows = read_csv(path, 2, _NEEDED, "data.dir")
        _check_names(path, names)
        table = _check(path, rows[:, :-1], rows[:, -1], draw_splits(len(rows)), name)
        return table._replace(columns=tuple(names[:-1]))
    return _check(path, *read_npz(path, ("features", "target", "test"), "data.dir"), name)


def draw_splits(rows: int) -> np.ndarray:
    """Which rows each split tests on: bool `[SPLITS, rows]`, always the same ones.

    Split s tests on the first `TEST_FRACTION` of a permutation by `numpy.random.RandomState(s)`, at
    least one row.
    """
    count = max(1, round(TEST_FRACTION * rows))
    test = np.zeros((SPLITS, rows), bool)
    for split, row in enumerate(test):
        # The stream of RandomState is frozen: a split is the same wherever it is drawn.
        row[np.random.RandomState(split).permutation(rows)[:count]] = True
    return test


def standardize(table: Table, split: int) -> Standardized:
    """Scales a split by mean and standard deviation of its training rows, so that test is unseen.

    A feature that is constant in training is 0 everywhere, in test too: nothing can be learned of
    it. Targets that are constant get the scale 1.

    Raises:
      ValueError: there is no such split.
    """
    if not 0 <= split < len(table.test):
        raise ValueError(
            f"data.split: {split} is not a split of {table.name!r}; choose one from 0 to "
            f"{len(table.test) - 1}"
        )
    test = table.test[split]
    features, feature_scale, feature_shift = _scale(table.features, test, constant=np.inf)
    targets, scale, shift = _scale(table.targets, test, constant=1.0)
    return Standardized(
        features[~test],
        targets[~test],
        features[test],
        targets[test],
        scale.astype(np.float32),
        shift.astype(np.float32),
        feature_scale,
        feature_shift,
    )


def _scale(
    values: np.ndarray, test: np.ndarray, constant: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[N, D]` by its training rows, with scale and shift `[D]`; a constant column's is given.

    Values are float32, scale and shift float64.
    """
    train = values[~test].astype(np.float64)
    # Of equal numbers the mean may be rounded, and their deviation then is not 0.
    scale = np.where(train.max(0) == train.min(0), constant, train.std(0))
    shift = train.mean(0)
    scaled = (values - shift) / scale
    return scaled.astype(np.float32), scale, shift


def _diabetes() -> Table:
    arrays = []
    for file in ("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"):
        path = wheels.locate(_PACKAGE, f"{_FOLDER}/{file}", "data.name", BUNDLED)
        with gzip.open(path, "rt") as text:
            arrays.append(np.loadtxt(text))
    features, target = arrays
    return _check(path.parent, features, target, draw_splits(len(target)), BUNDLED)


def _find(name: str, root: str) -> Path:
    """The file of a table; raises FileNotFoundError that says which there are."""
    if not root:
        raise FileNotFoundError(
            f"data.dir: '' is empty; data.name {name!r} is a file in a folder, only {BUNDLED!r} "
            "needs none"
        )
    folder = paths.local(root, "data.dir")
    for stem in (name, FILES.get(name, name)):
        for suffix in (".npz", ".csv"):
            if (folder / f"{stem}{suffix}").is_file():
                return folder / f"{stem}{suffix}"
    if not folder.is_dir():
        raise FileNotFoundError(f"data.dir: {root!r} is not a folder of tables")
    there = sorted(path.stem for path in folder.iterdir() if path.suffix in (".npz", ".csv"))
    raise FileNotFoundError(
        f"data.name: {name!r} is no table in {root!r} (a .npz or .csv); there are "
        f"{', '.join(there) or 'none'}, and {BUNDLED!r} needs no file"
    )


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Refuses columns that could not be told apart, or are none of the table."""
    where = f"data.dir: {str(path)!r}"
    if not names[0].strip():
        raise ValueError(
            f"{where} has a first column without a name, as an index has; leave it out"
        )
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{where} has several columns called {name!r}; name each its own way")


def _check(
    path: Path, features: np.ndarray, target: np.ndarray, test: np.ndarray, name: str
) -> Table:
    """The arrays as a table; raises ValueError where they are none."""
    where = f"data.dir: {str(path)!r}"
    for key, array, kinds in (
        ("features", features, "iuf"),
        ("target", target, "iuf"),
        ("test", test, "b"),
    ):
        if array.dtype.kind not in kinds:
            wanted = "bool" if kinds == "b" else "numbers"
            raise ValueError(f"{where} has {key} of {array.dtype}; {wanted} are needed")
    count = len(features) if features.ndim else 0
    right = features.ndim == 2 and target.shape == (count,) and test.ndim == 2
    if not right or test.shape[1] != count or not features.size or not len(test):
        raise ValueError(
            f"{where} has features {features.shape}, target {target.shape}, test {test.shape}; "
            "needed are [N, D], [N] and [S, N]"
        )
    _check_finite(where, features, target)
    for split, row in enumerate(test):
        if row.all() or not row.any():
            lacking = "train" if row.all() else "test"
            raise ValueError(f"{where}: split {split} of test has no row to {lacking} on")
    return Table(features.astype(np.float32), target.astype(np.float32)[:, None], test, name)


def _check_finite(where: str, features: np.ndarray, target: np.ndarray) -> None:
    with np.errstate(over="ignore"):
        columns = np.column_stack([features, target]).astype(np.float32)
    check_finite(where, columns, features.shape[1])
