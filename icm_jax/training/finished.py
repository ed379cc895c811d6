"""A finished run, to be used: its config, its summary and what its checkpoints hold."""

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from icm_jax import paths
from icm_jax.config import from_workdir
from icm_jax.schema import Schema, validate
from icm_jax.system import PyTree
from icm_jax.training import stacking
from icm_jax.training.checkpoints import Checkpoints, Leaves, Restored
from icm_jax.training.steps import saved_state
from icm_jax.training.workdir import WorkdirError, read_json


class Saved(NamedTuple):
    """The leaves of a checkpoint, of `count` runs of which that at `index` is meant."""

    leaves: Leaves
    index: int
    count: int

    def state(self, init: Callable[[jax.Array], PyTree]) -> PyTree:
        """The run's state, for the `init` that made it, or a part of it, for an `init` of that."""
        return stacking.part(saved_state(init, self.leaves, self.count), self.index, self.count)


class Finished(NamedTuple):
    """A finished run of one seed.

    Attributes:
      folder: of the run.
      config: as it was saved; one of an older version may lack a field.
      summary: as in `summary.json`.
    """

    folder: Path
    config: ConfigDict
    summary: Mapping[str, Any]

    def said(self, field: str) -> Any:
        """A field of the summary; refuses one of an older version, which lacks it."""
        if field not in self.summary:
            raise WorkdirError(
                f"workdir: {self.folder / 'summary.json'} says no {field}; evaluate the run again "
                "with --mode=evaluate"
            )
        return self.summary[field]

    def check(self, its: Schema) -> None:
        """Refuses a config without some field, as one of an older version may be.

        What values mean is not asked: mechanisms of one's own need not be known to use a run.

        Raises:
          ValueError: naming the file, the fields and their defaults.
        """
        try:
            validate(self.config, Schema(its.fields))
        except ValueError as error:
            raise ValueError(f"workdir: {self.folder / 'config.json'}: {error}") from error

    def saved(self, part: str = "") -> Saved:
        """What is saved of it, or of another run that was trained as a part of it.

        Raises:
          WorkdirError: there is no checkpoint.
          CheckpointError: there is none that is not damaged.
        """
        of_all, index, count = self._checkpoints()
        restored = read_newest(of_all / part, self.config.checkpoint.keep)
        if restored is None:
            raise WorkdirError(f"workdir: there is no checkpoint in {of_all / part}")
        return Saved(restored.leaves, index, count)

    def _checkpoints(self) -> tuple[Path, int, int]:
        """The folder of the run's checkpoints, its index in them and how many runs they hold."""
        folder, seed = self.folder, self.config.seed
        if has_checkpoints(folder):
            return folder, 0, 1
        if folder.name == f"seed_{seed}" and has_checkpoints(folder.parent):
            of_all = from_workdir(folder.parent)
            return folder.parent, seed - of_all.seed, of_all.replicas
        raise WorkdirError(f"workdir: there are no checkpoints in {folder}")


def has_checkpoints(folder: Path) -> bool:
    """Whether a run has saved anything in a folder."""
    path = folder / "checkpoints"
    return path.is_dir() and any(path.iterdir())


def read_newest(folder: Path, keep: int) -> Restored | None:
    """As `Checkpoints.restore`, of a folder in which nothing is made."""
    if not has_checkpoints(folder):
        return None
    with contextlib.closing(Checkpoints(folder, keep)) as saved:
        return saved.restore()


def require(folder: Path) -> None:
    """Refuses a folder that is not one of a run, or of all seeds of one, that can be evaluated.

    Raises:
      WorkdirError: nothing was trained in it, or it is one of several seeds.
    """
    if (folder / "config.json").exists() and has_checkpoints(folder):
        return
    if folder.name.startswith("seed_") and has_checkpoints(folder.parent):
        raise WorkdirError(f"{folder} is one of several seeds; evaluate {folder.parent}")
    raise WorkdirError(f"the run in {folder} is not finished; train it first")


def read(workdir: str | os.PathLike) -> Finished:
    """The run in a folder.

    Args:
      workdir: its folder; of a run of several seeds the folder of one, such as `<run>/seed_0`.

    Raises:
      ValueError: there is no config in it.
      WorkdirError: the run is not finished, or of several seeds.
    """
    folder = paths.local(workdir, "workdir").resolve()
    config, summary = from_workdir(folder), read_json(folder / "summary.json")
    if summary is None:
        raise WorkdirError(f"workdir: the run in {folder} is not finished; train it first")
    is_of_its_config = summary.get("system") == config.get("system")
    if not is_of_its_config and (folder.parent / "config.json").exists():
        raise WorkdirError(f"workdir: {folder} is a part of the run in {folder.parent}; give that")
    if "seeds" in summary:
        choice = ", ".join(str(folder / f"seed_{seed}") for seed in summary["seeds"])
        raise WorkdirError(f"workdir: {folder} holds several seeds; choose one of {choice}")
    return Finished(folder, config, summary)
