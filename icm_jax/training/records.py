"""The records of a run: `metrics.jsonl`, the same again in TensorBoard, and the figures."""

import contextlib
import io
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from icm_jax.paths import replaced
from icm_jax.training import devices
from icm_jax.training.tensorboard import TensorBoard
from icm_jax.training.workdir import WorkdirError, plain, reasons

_log = logging.getLogger(__name__)


class Records:
    """Appends records to `metrics.jsonl`, one JSON object a line.

    A line holds nothing that differs between two runs of the same computation (no times), so that
    a resumed run leaves the file of a run that never stopped. Only the writing process has files.

    Attributes:
      all: the records so far.
      size: bytes of `metrics.jsonl` that hold them.
    """

    def __init__(self, folder: Path, size: int = 0, step: int = 0):
        """Goes on behind the first `size` bytes, written up to `step`; what follows them is cut.

        `step` counts over all phases; TensorBoard draws against it.

        Raises:
          WorkdirError: the files cannot be written.
        """
        self.all: list[dict] = []
        self.size = 0
        self._file = self._tensorboard = None
        if not devices.is_writer():
            return
        self._path = folder / "metrics.jsonl"
        with reasons(folder):
            # Unbuffered: a record is with the operating system when `append` returns.
            self._file = self._path.open("ab+", buffering=0)
            with contextlib.ExitStack() as opened:
                opened.callback(self._file.close)
                self._keep(size)
                self._tensorboard = TensorBoard(folder / "tensorboard", step)
                opened.pop_all()

    def append(self, record: Mapping, step: int) -> None:
        """Adds a record, `{"phase", "step", ...}`; `step` counts over all phases.

        Raises:
          WorkdirError: it cannot be written.
        """
        record = plain(record)
        self.all.append(record)
        if self._file is None:
            return
        line = (json.dumps(record) + "\n").encode()
        with reasons(self._path):
            written = self._file.write(line)
            while written < len(line):
                # A disk that is filling up takes a part and says why at the next call.
                written += self._file.write(line[written:])
            self.size += len(line)
            values = {name: record[name] for name in record if name not in ("phase", "step")}
            values.update(values.pop("evaluation", {}))
            named = {f"{record['phase']}/{name}": value for name, value in values.items()}
            self._tensorboard.scalars(named, step)

    def figures(self, figures: Mapping[str, Figure], folder: Path, step: int) -> dict[str, Path]:
        """Writes figures to `<folder>/<name>.png` and to TensorBoard; returns the paths by name.

        Raises:
          WorkdirError: they cannot be written.
        """
        if self._file is None:
            return {}
        paths = {name: folder / f"{name}.png" for name in figures}
        with reasons(folder):
            folder.mkdir(exist_ok=True)
            for name, figure in figures.items():
                # Drawn once: TensorBoard is given the very bytes of the file.
                drawn = io.BytesIO()
                figure.savefig(drawn, format="png")
                with replaced(paths[name]) as unfinished:
                    unfinished.write_bytes(drawn.getvalue())
                self._tensorboard.png(name, drawn.getvalue(), step)
        return paths

    def sync(self) -> None:
        """Returns when all records are on the disk.

        Raises:
          WorkdirError: they cannot be written.
        """
        if self._file is not None:
            with reasons(self._path):
                os.fsync(self._file.fileno())
                self._tensorboard.flush()

    def close(self) -> None:
        """Closes the files.

        Raises:
          WorkdirError: what was left could not be written.
        """
        if self._file is not None:
            with reasons(self._path):
                self._file.close()
                self._tensorboard.close()

    def _keep(self, size: int) -> None:
        """Reads the first `size` bytes and cuts the rest, such as the half line of a killed run."""
        self._file.seek(0)
        kept = self._file.read(size)
        if len(kept) < size:
            kept = kept[: kept.rfind(b"\n") + 1]
            _log.warning("%s is shorter than when the checkpoint was saved", self._path)
        self._file.truncate(len(kept))
        self.all = [self._read(*numbered) for numbered in enumerate(kept.splitlines(), 1)]
        self.size = len(kept)

    def _read(self, number: int, line: bytes) -> dict:
        try:
            return json.loads(line)
        except ValueError as error:
            raise WorkdirError(
                f"cannot read {self._path}, line {number}: {error}; restore it, or delete "
                f"{self._path.parent} to begin anew"
            ) from error
