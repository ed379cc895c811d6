"""Checkpoints of the complete state of a run, through Orbax."""

import contextlib
import hashlib
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from icm_jax import environment, paths
from icm_jax.training import devices
from icm_jax.training.workdir import WorkdirError, reasons, write_json

# Orbax takes the first four for patterns of names, and TensorStore a backslash for a slash.
_MISREAD = re.compile(r"[][*?\\\ud800-\udfff]")
FILES = "files.json"  # the digests of what lies beside it

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
        self._stack = contextlib.ExitStack()
        self._proven = False
        with reasons(path), contextlib.ExitStack() as stack:
            path.mkdir(exist_ok=True)
            self._manager = ocp.CheckpointManager(
                stack.enter_context(_plainly_named(path)), options=options
            )
            self._stack = stack.pop_all()

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
        last = "there is none before it"
        if self.latest is not None:
            last = f"the last good one is {self.path(self.latest)}"
        try:
            # Orbax would log, with a traceback, the error that it raises as well.
            with environment.logged_from("fatal"):
                saved = self._manager.save(step, args=arguments, force=True)
        except Exception as error:
            raise CheckpointError(
                f"cannot save checkpoint {self.path(step)}: {error}; {last}"
            ) from error
        if not saved:
            raise CheckpointError(f"checkpoint {self.path(step)} was not saved")
        if devices.is_writer():
            write_json(self.path(step) / FILES, digests_of_files(self.path(step)))
        devices.wait_for_all("saved")
        if not self._proven:
            self._prove(step)

    def _prove(self, step: int) -> None:
        """Reads back the first checkpoint that is saved here: the others will be like it."""
        try:
            self._read(step)
        except Exception as error:
            raise CheckpointError(
                f"checkpoint {self.path(step)} cannot be read back ({_reason(error)}); "
                "choose another workdir, on another file system"
            ) from error
        self._proven = True

    def restore(self, set_aside: bool = False) -> Restored | None:
        """Reads the newest checkpoint that is undamaged; None where there is none at all.

        A damaged one is named in a warning and, with `set_aside`, moved to
        `<folder>/damaged_checkpoints`, where there is an older one to go on from. What is whole
        stays where it is, whatever the reason that it cannot be read.

        Raises:
          CheckpointError: none can be read, or one that is not damaged cannot; nothing was moved.
        """
        unread: dict[int, str] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                restored = self._read(step)
            # Damage shows as any error, of JSON, of Orbax, of TensorStore or of our digest.
            except Exception as error:
                unread[step] = _reason(error)
                self._require_damage(step, unread[step])
                continue
            for damaged, reason in unread.items():
                moved = f", moved to {self._set_aside(damaged)}" if set_aside else ""
                _log.warning("checkpoint %s is damaged (%s)%s", self.path(damaged), reason, moved)
            return restored
        if unread:
            listed = "; ".join(f"{self.path(step)} ({why})" for step, why in unread.items())
            raise CheckpointError(
                f"no checkpoint can be read: {listed}; nothing was moved; delete {self._folder} to "
                "begin anew"
            )
        return None

    def _require_damage(self, step: int, reason: str) -> None:
        """Refuses to go on without a checkpoint whose files are as they were written.

        One without an undamaged `FILES` is taken for damaged.

        Raises:
          CheckpointError: its files are whole, or cannot be read just now.
        """
        path = self.path(step)
        try:
            files = digests_of_files(path)
            whole = json.loads((path / FILES).read_bytes()).items() <= files.items()
        except (FileNotFoundError, ValueError, AttributeError):
            return
        except OSError as error:
            raise CheckpointError(
                f"checkpoint {path} cannot be read: {error}; nothing was moved; try again, or move "
                "it away to go on from the one before it"
            ) from error
        if whole:
            raise CheckpointError(
                f"checkpoint {path} is as it was written, but cannot be read here ({reason}); "
                "nothing was moved; go on with the versions of the packages that wrote it"
            )

    def close(self) -> None:
        """Waits for what is being written and lets go of the folder."""
        self._manager.wait_until_finished()
        self._manager.close()
        self._stack.close()

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
        with reasons(aside):
            aside.mkdir(exist_ok=True)
        there = len([path for path in aside.iterdir() if path.name.startswith(f"{step}_")])
        target = aside / f"{step}_{there}"
        devices.wait_for_all("set aside")
        if devices.is_writer():
            self.path(step).rename(target)
        devices.wait_for_all("set aside")
        self._manager.reload()
        return target


@contextlib.contextmanager
def _plainly_named(path: Path) -> Iterator[Path]:
    """A path to the same folder that Orbax and TensorStore take for what it is."""
    if not _MISREAD.search(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        if _MISREAD.search(folder):
            raise WorkdirError(
                f"workdir: {str(path.parent)!r} is not allowed with the temporary folder "
                f"{folder!r}; [, ], *, ? and \\ in both cannot be saved to; set TMPDIR to another"
            )
        link = Path(folder) / path.name
        link.symlink_to(path, target_is_directory=True)
        yield link


def digests_of_files(path: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder but `FILES`, the list of them, by its path in it."""
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*")}
    return {
        name: paths.digest_file(file)
        for name, file in sorted(files.items())
        if name != FILES and not file.is_dir()
    }


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else repr(error)


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
