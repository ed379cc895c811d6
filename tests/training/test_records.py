import struct

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboardX.proto import event_pb2

from icm_jax.training import records as records_module
from icm_jax.training.records import Records
from icm_jax.training.workdir import WorkdirError

FIRST = {"phase": "fit", "step": 5, "loss": np.float32(0.1), "won": np.array([0.5, np.nan])}
LINE = '{"phase": "fit", "step": 5, "loss": 0.1, "won": [0.5, null]}\n'


def events(folder):
    """All events of TensorBoard files: 8 bytes of length, 4 of its checksum, data, 4 of theirs."""
    for path in sorted((folder / "tensorboard").iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            yield event_pb2.Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]


def test_writes_lines_and_tensorboard(tmp_path):
    records = Records(tmp_path)
    records.append(FIRST, 18)
    records.append({"phase": "fit", "step": 5, "evaluation": {"accuracy": 0.75}}, 18)
    second = '{"phase": "fit", "step": 5, "evaluation": {"accuracy": 0.75}}\n'
    assert (tmp_path / "metrics.jsonl").read_text() == LINE + second
    assert records.size == len(LINE + second)
    assert records.all[0] == {"phase": "fit", "step": 5, "loss": 0.1, "won": [0.5, None]}
    records.close()
    found = [
        (event.step, value.tag, round(value.simple_value, 6))
        for event in events(tmp_path)
        for value in event.summary.value
    ]
    assert found == [(18, "fit/loss", 0.1), (18, "fit/won/0", 0.5), (18, "fit/accuracy", 0.75)]


def test_goes_on_behind_what_is_known(tmp_path):
    records = Records(tmp_path)
    records.append(FIRST, 5)
    size = records.size
    records.append(FIRST | {"step": 10}, 10)
    records.close()
    records = Records(tmp_path, size, 5)
    assert [record["step"] for record in records.all] == [5]
    records.append(FIRST | {"step": 11}, 11)
    records.close()
    assert (tmp_path / "metrics.jsonl").read_text() == LINE + LINE.replace("5,", "11,", 1)
    # TensorBoard is told that what it knows from step 6 on is no longer so.
    starts = [event.step for event in events(tmp_path) if event.HasField("session_log")]
    assert sorted(starts) == [1, 6]


def test_shorter_file_than_known_is_named(tmp_path, caplog):
    (tmp_path / "metrics.jsonl").write_text(LINE + LINE[:20])
    records = Records(tmp_path, 2 * len(LINE), 10)
    assert "metrics.jsonl is shorter" in caplog.text
    assert len(records.all) == 1 and records.size == len(LINE)
    records.close()
    assert (tmp_path / "metrics.jsonl").read_text() == LINE


def test_figures_are_drawn_once_for_their_file_and_tensorboard(tmp_path, monkeypatch):
    draws, draw = [], FigureCanvasAgg.draw
    monkeypatch.setattr(FigureCanvasAgg, "draw", lambda self: (draws.append(self), draw(self)))
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.subplots().plot([1, 2])
    records = Records(tmp_path)
    paths = records.figures({"line": figure}, tmp_path / "figures", 3)
    records.close()
    assert paths == {"line": tmp_path / "figures" / "line.png"}
    assert paths["line"].read_bytes().startswith(b"\x89PNG")
    ((step, value),) = [(e.step, v) for e in events(tmp_path) for v in e.summary.value]
    assert (step, value.tag) == (3, "line")
    assert (value.image.width, value.image.height, value.image.colorspace) == (100, 50, 4)
    assert value.image.encoded_image_string == paths["line"].read_bytes()
    assert len(draws) == 1


def test_full_disk_says_so(tmp_path):
    records = Records(tmp_path)

    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

    file, records._file = records._file, Full()
    with pytest.raises(WorkdirError, match="metrics.jsonl: No space left on device"):
        records.append(FIRST, 5)
    records._file = file
    records.close()


def test_other_processes_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(records_module.devices, "is_writer", lambda: False)
    records = Records(tmp_path)
    records.append(FIRST, 5)
    assert records.figures({"line": Figure()}, tmp_path / "figures", 3) == {}
    records.sync()
    records.close()
    assert not list(tmp_path.iterdir()) and len(records.all) == 1


def test_a_damaged_line_is_named(tmp_path):
    records = Records(tmp_path)
    records.append(FIRST, 5)
    records.append(FIRST, 6)
    records.close()
    (tmp_path / "metrics.jsonl").write_text(LINE + LINE.replace("{", "?"))
    message = "cannot read .*metrics.jsonl, line 2: .*; restore it, or delete .* to begin anew"
    with pytest.raises(WorkdirError, match=message) as error:
        Records(tmp_path, records.size, 6)
    assert "\n" not in str(error.value)
    assert (tmp_path / "metrics.jsonl").read_text() == LINE + LINE.replace("{", "?")
