import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import chex
import numpy as np
import pytest
from crashes import Crash, crashing, harm
from training import toy

from icm_jax import training
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.progress import Progress
from icm_jax.training.records import Records

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The records and the final state of a run that never stopped."""
    workdir = tmp_path_factory.mktemp("uninterrupted")
    result = toy.train(workdir)
    return (workdir / "metrics.jsonl").read_bytes(), result.state


def assert_same(workdir, result, uninterrupted):
    records, state = uninterrupted
    assert (workdir / "metrics.jsonl").read_bytes() == records
    chex.assert_trees_all_equal(result.state, state)
    assert {name: phase["steps"] for name, phase in result.summary["phases"].items()} == {
        "warmup": 13,
        "fit": 30,
    }


@pytest.mark.parametrize(
    "owner, name, at, after",
    [
        (Progress, "advance", 2, False),  # before the first checkpoint
        (Progress, "advance", 11, False),  # in the middle of an interval
        (Progress, "advance", 25, False),  # in the second phase
        (Records, "append", 1, True),  # a record more than the checkpoint knows
        (Records, "append", 8, False),
        (Checkpoints, "save", 1, True),  # at the end of the first phase
        (Checkpoints, "save", 3, False),
        (Records, "figures", 0, True),  # at the very end
    ],
)
def test_goes_on_after_a_crash(tmp_path, monkeypatch, uninterrupted, owner, name, at, after):
    with monkeypatch.context() as patch, pytest.raises(Crash):
        crashing(patch, owner, name, at, after)
        toy.train(tmp_path)
    assert not (tmp_path / "summary.json").exists()
    assert_same(tmp_path, toy.train(tmp_path), uninterrupted)


def test_saved_evaluation_is_not_done_again(tmp_path, monkeypatch):
    # Step 7 is evaluated and saved, then the run crashes at step 8.
    settings = {"evaluate_every": 7, "checkpoint_every": 7}
    system = toy.system(steps=(0, 10))
    whole = toy.train(tmp_path / "whole", system, **settings)
    with monkeypatch.context() as patch, pytest.raises(Crash):
        crashing(patch, Progress, "advance", 7)
        toy.train(tmp_path / "crashed", system, **settings)
    crashed = toy.train(tmp_path / "crashed", system, **settings)
    chex.assert_trees_all_equal(crashed.state, whole.state)
    records = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "crashed")]
    assert records[0] == records[1]


def test_half_a_line_is_cut(tmp_path, monkeypatch, uninterrupted):
    with monkeypatch.context() as patch, pytest.raises(Crash):
        crashing(patch, Progress, "advance", 20)
        toy.train(tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"phase": "fit", "st')
    assert_same(tmp_path, toy.train(tmp_path), uninterrupted)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("at, where", [(3, "warmup after step 3"), (18, "fit after step 5")])
def test_signal_saves_after_the_step(
    tmp_path, monkeypatch, caplog, uninterrupted, signum, at, where
):
    steps, advance = [], Progress.advance

    def signalled(self, taken):
        steps.append(1)
        if len(steps) == at:
            os.kill(os.getpid(), signum)
        advance(self, taken)

    before = signal.getsignal(signum)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "advance", signalled)
        with pytest.raises(training.Interrupted) as caught:
            toy.train(tmp_path)
    assert caught.value.signum == signum and len(steps) == at
    assert f"stopped in phase {where}; the same call goes on" in caplog.text
    assert (tmp_path / "checkpoints" / str(at)).exists()
    assert signal.getsignal(signum) is before
    with contextlib.closing(Checkpoints(tmp_path, 3)) as saved:
        so_far = saved.restore().meta["phases"]
    result = toy.train(tmp_path)
    assert_same(tmp_path, result, uninterrupted)
    for name, phase in result.summary["phases"].items():
        assert phase["seconds"] >= so_far[name]["seconds"]
        assert phase["compile_seconds"] >= so_far[name]["compile_seconds"]


@pytest.mark.parametrize("at", [0, 1, 3])  # at step 0 of the last phase, at step 10, at the end
def test_signal_ends_an_evaluation_which_is_done_again(tmp_path, caplog, uninterrupted, at):
    calls = []

    def evaluate(*args):
        calls.append("begun")
        if len(calls) == at + 1:
            os.kill(os.getpid(), signal.SIGTERM)
            calls.append("went on")
        return toy.evaluate(*args)

    with pytest.raises(training.Interrupted):
        toy.train(tmp_path, toy.system(evaluate=evaluate))
    assert calls == ["begun"] * (at + 1)
    result = toy.train(tmp_path, toy.system(evaluate=evaluate))
    assert calls == ["begun"] * 5  # 4 are due
    assert_same(tmp_path, result, uninterrupted)


def test_signal_gets_through_while_a_judge_trains(tmp_path):
    def evaluate(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal should have ended this")

    judge = toy.system(evaluate=evaluate)
    with pytest.raises(training.Interrupted):
        toy.train(tmp_path, toy.system(auxiliary={"judge": judge}))
    assert list((tmp_path / "judge" / "checkpoints").iterdir())


def test_second_signal_does_not_wait(tmp_path, monkeypatch):
    def save(*_):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second signal should have ended this")

    def advance(*_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Checkpoints, "save", save)
    monkeypatch.setattr(Progress, "advance", advance)
    with pytest.raises(KeyboardInterrupt) as caught:
        toy.train(tmp_path)
    assert not isinstance(caught.value, training.Interrupted)


def test_trains_outside_the_main_thread(tmp_path):
    results = []
    thread = threading.Thread(
        target=lambda: results.append(toy.train(tmp_path, toy.system(steps=(2, 0))))
    )
    thread.start()
    thread.join()
    assert results[0].summary["phases"]["warmup"]["steps"] == 2


def damage(folder, how):
    """Damages the files of a checkpoint that hold its numbers."""
    for path in (folder / "state").rglob("d/*"):
        harm(path, how)


# A read that fails leaves futures behind that find Orbax's event loop closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["delete", "truncate", "flip"])
def test_damaged_checkpoint_is_named_and_the_one_before_it_used(
    tmp_path, monkeypatch, caplog, uninterrupted, how
):
    with monkeypatch.context() as patch, pytest.raises(Crash):
        crashing(patch, Progress, "advance", 30)
        toy.train(tmp_path)
    newest = tmp_path / "checkpoints" / "27"
    damage(newest, how)
    with caplog.at_level(logging.WARNING):
        result = toy.train(tmp_path)
    assert f"{newest} is damaged" in caplog.text
    assert (tmp_path / "damaged_checkpoints" / "27_0").exists()
    assert_same(tmp_path, result, uninterrupted)


# Kills itself at the n-th event by which it makes, moves, opens or removes something in the
# workdir: within a save, between a record and a save, while closing.
KILLED = """
import os, signal, sys
import toy
workdir, left = sys.argv[1], int(sys.argv[2])
def hook(event, args):
    global left
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.truncate", "os.rmdir"):
        if any(isinstance(arg, (str, os.PathLike)) and workdir in str(arg) for arg in args):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
print(toy.np.asarray(toy.train(workdir).state["w"]).tobytes().hex())
"""


@pytest.mark.slow
def test_killed_again_and_again(tmp_path, uninterrupted):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'training'}"}
    draw, kills = random.Random(1), 0
    while True:
        moment = draw.randint(10, 60) if kills < 5 else 10**9
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(moment)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
    assert kills >= 3
    records, state = uninterrupted
    assert (tmp_path / "metrics.jsonl").read_bytes() == records
    assert done.stdout.split()[-1] == np.asarray(state["w"]).tobytes().hex()
