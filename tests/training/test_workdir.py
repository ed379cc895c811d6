import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from training import toy

from icm_jax.training import workdir
from icm_jax.training.workdir import InUse, WorkdirError


def test_another_configuration_is_refused_field_by_field(tmp_path):
    before = {"seed": 3, "optimizer": {"rate": 0.1, "name": "adam"}, "labels": [1, 2], "old": {}}
    now = {"seed": 3, "optimizer": {"rate": 0.2, "name": "adam"}, "labels": (1, 3), "new": None}
    with workdir.opened(tmp_path, before):
        pass
    with pytest.raises(WorkdirError) as caught, workdir.opened(tmp_path, now):
        pass
    assert str(caught.value).splitlines()[1:] == [
        "  labels: [1, 2] there, [1, 3] now",
        "  new: '(absent)' there, None now",
        "  old: {} there, '(absent)' now",
        "  optimizer.rate: 0.1 there, 0.2 now",
    ]
    assert json.loads((tmp_path / "config.json").read_text()) == before
    with workdir.opened(tmp_path, before):
        pass


def test_training_refuses_another_configuration(tmp_path):
    toy.train(tmp_path, toy.system(steps=(0, 0)))
    with pytest.raises(WorkdirError, match="optimizer.rate: 0.3 there, 0.4 now"):
        toy.train(tmp_path, config={"seed": 3, "optimizer": {"rate": 0.4}})
    with pytest.raises(WorkdirError, match="seed: 3 there, 4 now"):
        toy.evaluate_again(tmp_path, config=toy.CONFIG | {"seed": 4})


def test_checkpoints_of_an_unknown_configuration_are_refused(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(WorkdirError, match="no config.json"), workdir.opened(tmp_path, {}):
        pass


@pytest.mark.parametrize("content", [b"{", b"", b"[1]", b"null", b"\xff"])
@pytest.mark.parametrize("name", ["config.json", "summary.json"])
def test_a_damaged_file_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    message = f"^cannot read .*{name}: .*; restore it or delete it$"
    with pytest.raises(WorkdirError, match=message):
        toy.train(tmp_path)


def test_a_summary_that_is_not_whole_is_named(tmp_path):
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(WorkdirError, match="summary.json: it says no system; restore it or delete"):
        toy.train(tmp_path)


@pytest.mark.parametrize("name", ["metrics.jsonl", ".lock"])
def test_a_folder_in_place_of_a_file_is_named(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(WorkdirError, match=f"cannot write .*/{name}: Is a directory"):
        toy.train(tmp_path)


HOLDING = """
import sys
from icm_jax.training import workdir
with workdir.opened(sys.argv[1], {}):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_second_process_is_refused_until_the_first_is_killed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(WorkdirError, match="another process is using"):
            toy.train(tmp_path, config={})
        process.kill()
        process.wait()
        with workdir.opened(tmp_path, {}):
            pass


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK, errno.EINVAL])
def test_without_locks_a_file_stands_for_one(number, tmp_path, monkeypatch, caplog):
    def none(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none)
    stands = tmp_path / ".in_use"
    with workdir.opened(tmp_path, {}):
        assert stands.exists() and f"has no locks: {stands} stands for one" in caplog.text
        message = f"another process is using {tmp_path}; if none is alive, on any machine, delete "
        with pytest.raises(InUse, match=f"^{message}{stands}$"), workdir.opened(tmp_path, {}):
            pass
    assert not stands.exists()


def test_a_stale_lock_of_another_host_is_named(tmp_path, monkeypatch):
    held = fcntl.flock

    def remote(file, how):
        # The server of the file system keeps it for a host that is gone.
        if how & fcntl.LOCK_NB:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        held(file, how)

    monkeypatch.setattr(fcntl, "flock", remote)
    message = f"another process is using {tmp_path}; .* delete {tmp_path / '.lock'}$"
    with pytest.raises(InUse, match=message), workdir.opened(tmp_path, {}):
        pass


def test_unwritable_place_says_why(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match="cannot write .*file/run: Not a directory"):
        toy.train(tmp_path / "file" / "run")
    with pytest.raises(WorkdirError, match="workdir: .*/file is no folder; choose another"):
        toy.train(tmp_path / "file")


def test_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    workdir.write_json(path, {"old": True})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workdir.os, "fsync", full)
    with pytest.raises(WorkdirError, match="summary.json: No space left on device"):
        workdir.write_json(path, {"new": True})
    assert workdir.read_json(path) == {"old": True}


def test_plain():
    value = {
        "short": np.float32(0.1),  # 0.10000000149... as a double
        "array": jnp.array([1.5, np.nan]),
        "tuple": (1, True, None, "text"),
        "infinite": float("inf"),
        "count": np.int64(3),
        "nested": np.ones((2, 1), bool),
        5: Path("x").name,
    }
    assert workdir.plain(value) == {
        "short": 0.1,
        "array": [1.5, None],
        "tuple": [1, True, None, "text"],
        "infinite": None,
        "count": 3,
        "nested": [[True], [True]],
        "5": "x",
    }


def test_float32_is_read_back_exactly():
    numbers = np.random.RandomState(0).randn(1000).astype(np.float32) * np.float32(1e-3)
    back = np.array(json.loads(json.dumps(workdir.plain(numbers)))).astype(np.float32)
    np.testing.assert_array_equal(back, numbers)
