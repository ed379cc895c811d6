import json
import signal
from pathlib import Path

import numpy as np
import processes
import pytest
from training import toy

from icm_jax import training

# Trains the toy as one of two processes; process `victim` is sent SIGTERM after `at` calls.
PROGRAM = """
import os, signal, sys
from icm_jax import training
workdir, address, process, victim, at = sys.argv[1:]
training.connect(address, 2, int(process))
import toy
from icm_jax.training.progress import Progress
calls, advance = [], Progress.advance
def advancing(self, taken):
    advance(self, taken)
    calls.append(taken)
    if process == victim and len(calls) == int(at):
        os.kill(os.getpid(), signal.SIGTERM)
Progress.advance = advancing
try:
    result = toy.train(workdir)
    print("finished", result.finished_before)
    print(toy.jax.device_count(), toy.np.asarray(result.state["w"]).tobytes().hex())
except training.Interrupted as interrupted:
    print("left after", len(calls))
    sys.exit(128 + interrupted.signum)
"""


def two(workdir, victim=-1, at=0):
    address = processes.free_address()
    return processes.finish(
        [
            processes.start(
                *("-c", PROGRAM, workdir, address, index, victim, at),
                path=[Path(toy.__file__).parent],
            )
            for index in range(2)
        ]
    )


def records_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("one")
    return workdir, toy.train(workdir)


def assert_trained_as_one(workdir, said, one):
    for out, _ in said:
        devices, weights = out.split()[-2:]
        assert devices == "2"
        weights = np.frombuffer(bytes.fromhex(weights), np.float32)
        np.testing.assert_allclose(weights, one[1].state["w"], rtol=1e-5)
    for record, expected in zip(records_of(workdir), records_of(one[0]), strict=True):
        assert record.keys() == expected.keys() and record["step"] == expected["step"]
        if "loss" in record:
            np.testing.assert_allclose(record["loss"], expected["loss"], rtol=1e-4)


# The second is sent to the one that does not write. What is noted in an interval is agreed on at
# its end, and known where that is read: at the checkpoint of step 7, at the end of step 13.
@pytest.mark.parametrize("victim, at, leaves", [(0, 12, 13), (1, 3, 7)])
@pytest.mark.slow
def test_signal_to_one_process_lets_both_leave_and_go_on(tmp_path, one, victim, at, leaves):
    statuses, said = two(tmp_path, victim, at)
    assert statuses == [128 + signal.SIGTERM] * 2, said
    assert [out.split()[-1] for out, _ in said] == [str(leaves)] * 2
    assert (tmp_path / "checkpoints" / str(leaves)).exists()
    statuses, said = two(tmp_path)
    assert statuses == [0, 0], said
    assert_trained_as_one(tmp_path, said, one)


def test_what_does_not_tell_processes_apart_is_refused():
    with pytest.raises(ValueError, match="coordinator, process: missing; give"):
        training.connect(processes=2)
    with pytest.raises(ValueError, match="process: 2 is not allowed; it must be from 0 to 1"):
        training.connect("localhost:1", 2, 2)
