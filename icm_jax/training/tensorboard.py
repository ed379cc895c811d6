"""TensorBoard event files, through tensorboardX."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2, summary_pb2

_RGBA = 4  # as TensorBoard numbers the kinds of images


class TensorBoard:
    """Writes scalars and figures to a new event file in a folder.

    tensorboardX's SummaryWriter writes from a thread of its own: when the disk is full the thread
    dies, the error is lost and the next scalars wait for it for ever. Its EventsWriter, used here,
    writes where it is called and raises OSError there.
    """

    def __init__(self, folder: Path, step: int):
        """Opens a file for events after `step`; such events of older files are no longer shown."""
        folder.mkdir(exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"), f".{step}")
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(step + 1, session_log=start)

    def scalars(self, values: Mapping[str, float | list | None], step: int) -> None:
        """Adds numbers; lists entry by entry as `name/0`, `name/1`, ...; None not at all."""
        for name, value in values.items():
            if isinstance(value, list):
                self.scalars({f"{name}/{i}": item for i, item in enumerate(value)}, step)
            elif value is not None:
                self._write(step, summary=summary.scalar(name, value))

    def png(self, name: str, content: bytes, step: int) -> None:
        """Adds an image, the bytes of a PNG file with colours and transparency, as they are."""
        width, height = struct.unpack(">II", content[16:24])  # of its first chunk
        image = summary_pb2.Summary.Image(
            width=width, height=height, colorspace=_RGBA, encoded_image_string=content
        )
        value = summary_pb2.Summary.Value(tag=name, image=image)
        self._write(step, summary=summary_pb2.Summary(value=[value]))

    def flush(self) -> None:
        """Hands everything to the operating system."""
        self._writer.flush()

    def close(self) -> None:
        """Flushes and closes the file."""
        self._writer.close()

    def _write(self, step: int, **content) -> None:
        self._writer.write_event(event_pb2.Event(wall_time=time.time(), step=step, **content))
