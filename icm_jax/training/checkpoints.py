"""Checkpoints of the complete state of a run, through Orbax."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from icm_jax.training import devices
from icm_jax.training.workdir import reasons

_log = logging.getLogger(__name__)

PyTree = Any
Leaves = dict[str, np.ndarray]


class CheckpointError(RuntimeError):
    """A checkpoint cannot be saved or restored; the message says why and what still stands."""


class Restored(NamedTuple):
    """A checkpoint as read.

    Attributes:
      leaves: path within the saved pytree -> array; `fill` makes a pytree of them.
      meta: what was saved beside them.
    """

    leaves: Leaves
    meta: dict


class Checkpoints:
    """The newest `keep` checkpoints of a run, in `<folder>/checkpoints`."""

    def __init__(self, folder: Path, keep: int):
        """Opens the folder, making it where there is none.

        Raises:
          WorkdirError: it cannot be made.
        """
        self._folder = folder.resolve()
        # Saving waits until all is written: an error then belongs to the save that it befell, and
        # a save is rare and short beside the steps between two.
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        path = self._folder / "checkpoints"
        with reasons(path):
            path.mkdir(exist_ok=True)
            self._manager = ocp.CheckpointManager(path, options=options)

    @property
    def latest(self) -> int | None:
        """The step of the newest checkpoint, None where there is none."""
        return self._manager.latest_step()

    def path(self, step: int) -> Path:
        """The folder of a checkpoint."""
        return self._folder / "checkpoints" / str(step)

    def save(self, step: int, leaves: Leaves, meta: Mapping[str, Any]) -> None:
        """Saves `leaves` (see `flatten`) and `meta` (of JSON values) whole or not at all.

        Raises:
          CheckpointError: it cannot be written; the earlier checkpoints stand.
        """
        meta = dict(meta)
        content = {"leaves": _described(leaves), "meta": meta}
        content["digest"] = _digest(leaves, content)
        # TensorStore stores no arrays without elements; their shapes say all there is.
        stored = {path: leaf for path, leaf in leaves.items() if leaf.size}
        arguments = ocp.args.Composite(
            state=ocp.args.StandardSave(stored), content=ocp.args.JsonSave(content)
        )
        good = self.latest
        try:
            saved = self._manager.save(step, args=arguments, force=True)
        except Exception as error:
            last = (
                "there is none before it"
                if good is None
                else f"the last good one is {self.path(good)}"
            )
            raise CheckpointError(
                f"cannot save checkpoint {self.path(step)}: {error}; {last}"
            ) from error
        if not saved:
            raise CheckpointError(f"checkpoint {self.path(step)} was not saved")

    def restore(self) -> Restored | None:
        """Reads the newest checkpoint that is undamaged; None where there is none at all.

        A damaged one is named in a warning and moved to `<folder>/damaged_checkpoints`.

        Raises:
          CheckpointError: there are checkpoints and all are damaged.
        """
        damaged = []
        while (step := self.latest) is not None:
            try:
                return self._read(step)
            # Damage shows as any error, of JSON, of Orbax, of TensorStore or of our digest.
            except Exception as error:
                damaged.append(str(self._set_aside(step)))
                reason = str(error).splitlines()[0] if str(error) else repr(error)
                _log.warning(
                    "checkpoint %s is damaged (%s), moved to %s",
                    self.path(step),
                    reason,
                    damaged[-1],
                )
        if damaged:
            raise CheckpointError(f"all checkpoints are damaged: {', '.join(damaged)}")
        return None

    def close(self) -> None:
        """Waits for what is being written and lets go of the folder."""
        self._manager.wait_until_finished()
        self._manager.close()

    def _read(self, step: int) -> Restored:
        content = self._manager.restore(
            step, args=ocp.args.Composite(content=ocp.args.JsonRestore())
        ).content
        digest = content.pop("digest")
        empty = {
            path: np.zeros(shape, jnp.dtype(dtype))
            for path, (shape, dtype) in content["leaves"].items()
        }
        stored = {path: leaf for path, leaf in empty.items() if leaf.size}
        state = self._manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(stored))
        ).state
        leaves = {path: np.asarray(state.get(path, leaf)) for path, leaf in empty.items()}
        if _digest(leaves, content) != digest:
            raise CheckpointError("its digest is not that of what was saved")
        return Restored(leaves, content["meta"])

    def _set_aside(self, step: int) -> Path:
        """Moves a checkpoint out of the way, so that its step can be saved again."""
        aside = self._folder / "damaged_checkpoints"
        aside.mkdir(exist_ok=True)
        there = len([path for path in aside.iterdir() if path.name.startswith(f"{step}_")])
        target = aside / f"{step}_{there}"
        devices.wait_for_all("set aside")
        if devices.is_writer():
            self.path(step).rename(target)
        devices.wait_for_all("set aside")
        self._manager.reload()
        return target


def flatten(tree: PyTree) -> Leaves:
    """The leaves of a pytree on the host by their paths; typed keys as their uint32 data."""
    return {
        jax.tree_util.keystr(path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def fill(like: PyTree, leaves: Mapping[str, np.ndarray]) -> PyTree:
    """The pytree of the structure of `like` (arrays or their shapes) whose leaves were saved.

    Raises:
      CheckpointError: a leaf of `like` is not there, or of another shape or dtype.
    """

    def pick(path, leaf):
        name = jax.tree_util.keystr(path)
        saved = leaves.get(name)
        if saved is not None and _is_key(leaf):
            impl = jax.random.key_impl(jnp.empty((), leaf.dtype))
            saved = jax.random.wrap_key_data(saved, impl=impl)
        if saved is None or saved.shape != leaf.shape or saved.dtype != leaf.dtype:
            there = "is absent" if saved is None else f"is {saved.dtype}{list(saved.shape)}"
            raise CheckpointError(
                f"in the checkpoint {name} {there}, not {leaf.dtype}{list(leaf.shape)}: "
                "it was saved by another version of the system"
            )
        return saved

    return jax.tree_util.tree_map_with_path(pick, like)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _described(leaves: Leaves) -> dict[str, list]:
    return {path: [list(leaf.shape), leaf.dtype.name] for path, leaf in leaves.items()}


def _digest(leaves: Leaves, content: Mapping) -> str:
    """SHA-256 over the bytes of all leaves, their paths, shapes and dtypes, and the rest."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for path in sorted(leaves):
        digest.update(np.ascontiguousarray(leaves[path]).tobytes())
    return digest.hexdigest()
