"""What regression is trained and tested on: the splits of a table, or the cubic."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from icm_jax.systems.risk import cubic
from icm_jax.systems.risk.regression.config import CUBIC
from icm_jax.systems.risk.tables import Standardized, Table, load_table, standardize

EDGE = 4.0  # the cubic has no point to train on beyond
FRESH_ROWS = 500


class Rows(NamedTuple):
    """Rows of S splits, standardized; those of a split with fewer are filled up with zeros.

    Attributes:
      features: float32 `[S, n, D]`.
      targets: float32 `[S, n, 1]`.
      count: int32 `[S]`, rows that are not filling.
    """

    features: np.ndarray
    targets: np.ndarray
    count: np.ndarray

    def of_split(self, split: int) -> np.ndarray:
        """The targets of a split, `[count]`."""
        return self.targets[split, : self.count[split], 0]


class Truth(NamedTuple):
    """What is known of the cubic where x is on a grid, in units of x and y.

    Attributes:
      x: float32 `[m]`.
      curve: y without noise, float32 `[m]`.
      sigma: standard deviation of the noise, float32 `[m]`.
      rows: the grid as rows of one split, with the curve as targets.
      points: x and y of the training points, float32 `[n, 2]`.
    """

    x: np.ndarray
    curve: np.ndarray
    sigma: np.ndarray
    rows: Rows
    points: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """Where there are points to train on, bool `[m]`."""
        return np.abs(self.x) <= EDGE


class Task(NamedTuple):
    """A data set, ready to train.

    Attributes:
      name: of the data.
      train: rows that are trained on.
      test: rows that are tested on.
      scale: of targets in each split, float32 `[S, 1]`: `target * scale + shift` has its unit.
      shift: float32 `[S, 1]`.
      feature_scale: of features in each split, float64 `[S, D]`; see `tables.Standardized`.
      feature_shift: float64 `[S, D]`.
      truth: of the cubic, else None.
      columns: names of the features, or none.
    """

    name: str
    train: Rows
    test: Rows
    scale: np.ndarray
    shift: np.ndarray
    feature_scale: np.ndarray
    feature_shift: np.ndarray
    truth: Truth | None = None
    columns: tuple[str, ...] = ()

    @property
    def splits(self) -> int:
        """S."""
        return len(self.scale)

    @property
    def features(self) -> int:
        """D."""
        return self.train.features.shape[2]


def load(config: ConfigDict) -> Table | None:
    """The table that a config names; None of the cubic, which is drawn by seed.

    Raises:
      FileNotFoundError, ValueError: see `tables.load_table`.
    """
    if config.data.name == CUBIC:
        return None
    return load_table(config.data.name, config.data.dir)


def make_tasks(config: ConfigDict, table: Table | None, seeds: Sequence[int]) -> list[Task]:
    """The task of each seed: one and the same of a table, drawn by the seed of the cubic.

    Raises:
      ValueError: the table has fewer splits than `data.splits`.
    """
    if table is None:
        return [_cubic(seed) for seed in seeds]
    splits = config.data.splits or len(table.test)
    if splits > len(table.test):
        raise ValueError(
            f"data.splits: {splits} is not allowed; {table.name!r} has {len(table.test)}"
        )
    task = _joined(table.name, [standardize(table, split) for split in range(splits)])
    return [task._replace(columns=table.columns)] * len(seeds)


def _cubic(seed: int) -> Task:
    """The cubic; rows to test on are new points like those to train on."""
    drawn = cubic.draw_cubic(seed)
    # Another stream of points; the curve is the same one.
    fresh = cubic.draw_cubic((seed + 2**31) % 2**32, rows=FRESH_ROWS)
    features = np.concatenate([drawn.train_features, fresh.train_features])
    targets = np.concatenate([drawn.train_targets, fresh.train_targets])
    test = np.arange(len(features))[None] >= len(drawn.train_features)
    split = standardize(Table(features, targets, test, CUBIC), 0)
    task = _joined(CUBIC, [split])
    mean, std = drawn.train_features.mean(), drawn.train_features.std()
    rows = Rows(
        ((drawn.test_features - mean) / std)[None],
        ((drawn.test_targets - split.shift) / split.scale)[None],
        np.array([len(drawn.test_features)], np.int32),
    )
    points = np.concatenate([drawn.train_features, drawn.train_targets], axis=1)
    grid = (drawn.test_features, drawn.test_targets, drawn.test_sigma)
    return task._replace(truth=Truth(*(array[:, 0] for array in grid), rows, points))


def _joined(name: str, splits: Sequence[Standardized]) -> Task:
    return Task(
        name,
        _filled_up([(s.train_features, s.train_targets) for s in splits]),
        _filled_up([(s.test_features, s.test_targets) for s in splits]),
        np.stack([split.scale for split in splits]),
        np.stack([split.shift for split in splits]),
        np.stack([split.feature_scale for split in splits]),
        np.stack([split.feature_shift for split in splits]),
    )


def _filled_up(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Rows:
    """Features `[n, D]` and targets `[n, 1]` of each split as one."""
    count = np.array([len(targets) for _, targets in pairs], np.int32)

    def stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
        missing = [count.max() - len(array) for array in arrays]
        return np.stack(
            [np.pad(a, ((0, more), (0, 0))) for a, more in zip(arrays, missing, strict=True)]
        )

    return Rows(stack([x for x, _ in pairs]), stack([y for _, y in pairs]), count)
