import json
import logging
from types import SimpleNamespace

import chex
import jax
import numpy as np
import pytest
from crashes import Crash, crashing
from training import toy

from icm_jax import training
from icm_jax.training import run
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.devices import Devices
from icm_jax.training.progress import Progress
from icm_jax.training.run import Run


def records_of(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished run and its result; not to be changed."""
    workdir = tmp_path_factory.mktemp("finished") / "deeper" / "run"
    reports = []
    result = toy.train(workdir, write_report=lambda *args: reports.append(args))
    return workdir, result, reports


def reference():
    """The toy's two phases in NumPy: the losses of all steps and the final weights."""
    data, seed = toy.data(), jax.random.key(3)
    inputs, targets = data["inputs"].astype(np.float64) / 255, data["targets"]
    w = np.asarray(jax.random.normal(jax.random.fold_in(seed, 0), (3,)), np.float64)
    losses = []
    for phase, (steps, rate) in enumerate([(13, 0.01), (30, 0.3)]):
        phase_key = jax.random.fold_in(seed, 1 + phase)
        losses.append([])
        for step in range(steps):
            rows = jax.random.randint(jax.random.fold_in(phase_key, step), (8,), 0, 64)
            errors = inputs[rows] @ w - targets[rows]
            losses[-1].append(np.mean(errors**2))
            w = w - rate * 2 * errors @ inputs[rows] / 8
    return losses, w


def test_trains_as_numpy_does(finished):
    workdir, result, _ = finished
    (warmup, fit), w = reference()
    np.testing.assert_allclose(result.state["w"], w, rtol=1e-5)
    logged = {
        (r["phase"], r["step"]): r["loss"] for r in records_of(workdir) if "evaluation" not in r
    }
    # Every 5 steps and at the end of the phase, which is 3 steps after the last 5.
    expected = {("warmup", end): np.mean(warmup[end - 5 : end]) for end in (5, 10)}
    expected |= {("warmup", 13): np.mean(warmup[10:])}
    expected |= {("fit", end): np.mean(fit[end - 5 : end]) for end in range(5, 31, 5)}
    assert list(logged) == list(expected)
    np.testing.assert_allclose(list(logged.values()), list(expected.values()), rtol=1e-5)


def test_many_steps_a_call_are_the_same_steps(finished, tmp_path, monkeypatch):
    calls, advance = [], Progress.advance
    monkeypatch.setattr(Progress, "advance", lambda self, n: (calls.append(n), advance(self, n)))
    looped = toy.train(tmp_path, devices=Devices(loops=True))
    # To 5, 7, 10 and 13; then to every multiple of 5 and 7 up to 30.
    assert calls == [5, 2, 3, 3] + [5, 2, 3, 4, 1, 5, 1, 4, 3, 2]
    np.testing.assert_allclose(looped.state["w"], finished[1].state["w"], rtol=1e-6)
    for record, expected in zip(records_of(tmp_path), records_of(finished[0]), strict=True):
        assert record.keys() == expected.keys() and record["step"] == expected["step"]
        if "loss" in record:
            np.testing.assert_allclose(record["loss"], expected["loss"], rtol=1e-6)
    names = [sorted(p.name for p in (f / "checkpoints").iterdir()) for f in (tmp_path, finished[0])]
    assert names[0] == names[1]


def test_records_hold_means_lists_and_nulls(finished):
    first = records_of(finished[0])[0]
    # The state counts its steps: (1 + 2 + 3 + 4 + 5) / 5. `won` has a second entry that is never
    # counted, and a first with the sum of 8 errors where `loss` has their mean.
    assert first["count"] == 3
    assert first["won"][1] is None
    np.testing.assert_allclose(first["won"][0], 8 * first["loss"], rtol=1e-6)


def test_evaluates_along_the_last_phase_and_at_the_end(finished):
    evaluations = [r for r in records_of(finished[0]) if "evaluation" in r]
    assert [(r["phase"], r["step"]) for r in evaluations] == [
        ("fit", step) for step in (0, 10, 20, 30)
    ]
    distance = np.abs(reference()[1] - toy.TRUTH).max()
    np.testing.assert_allclose(evaluations[-1]["evaluation"]["distance"], distance, rtol=1e-5)


def test_leaves_summary_figures_and_report(finished):
    workdir, result, reports = finished
    summary = json.loads((workdir / "summary.json").read_text())
    assert summary == result.summary
    assert summary["system"] == "toy" and summary["seed"] == 3 and summary["complete"] is True
    assert summary["config"] == toy.CONFIG == json.loads((workdir / "config.json").read_text())
    assert {name: phase["steps"] for name, phase in summary["phases"].items()} == {
        "warmup": 13,
        "fit": 30,
    }
    for phase in summary["phases"].values():
        assert phase["seconds"] > 0 and phase["compile_seconds"] > 0
    figure = workdir / "figures" / "loss.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert reports == [(workdir / "report.html", summary, {"loss": figure})]
    assert sorted(p.name for p in (workdir / "checkpoints").iterdir()) == ["34", "41", "43"]


def test_finished_run_does_nothing(finished, caplog):
    workdir, result, _ = finished
    before = {p: p.stat().st_mtime_ns for p in workdir.rglob("*") if p.name != ".lock"}
    with caplog.at_level(logging.INFO), jax.log_compiles():
        again = toy.train(workdir)
    assert again.finished_before and again.summary == result.summary
    assert "nothing to do" in caplog.text and "Compiling" not in caplog.text
    assert before == {p: p.stat().st_mtime_ns for p in workdir.rglob("*") if p.name != ".lock"}


def test_evaluate_rewrites_what_a_finished_run_shows(tmp_path):
    with pytest.raises(training.WorkdirError, match="not finished"):
        toy.evaluate_again(tmp_path, toy.system())
    trained = toy.train(tmp_path)
    records = (tmp_path / "metrics.jsonl").read_bytes()
    (tmp_path / "figures" / "loss.png").unlink()

    def evaluate(*args):
        return toy.evaluate(*args)._replace(summary={"other": 1})

    system = toy.system(evaluate=evaluate)
    result = toy.evaluate_again(tmp_path, system)
    assert result.summary["other"] == 1
    assert result.summary["phases"] == trained.summary["phases"]
    assert json.loads((tmp_path / "summary.json").read_text()) == result.summary
    chex.assert_trees_all_equal(result.state, trained.state)
    assert (tmp_path / "metrics.jsonl").read_bytes() == records
    assert (tmp_path / "figures" / "loss.png").exists()


def test_phase_ends_early_below_its_threshold(tmp_path):
    # The losses of the intervals are about 4.38, 3.34, 3.37.
    result = toy.train(tmp_path, toy.system(stop_below=("loss", 3.5)))
    assert result.summary["phases"]["warmup"]["steps"] == 10
    assert result.summary["phases"]["fit"]["steps"] == 30


def test_entry_without_value_is_not_below(tmp_path):
    result = toy.train(tmp_path, toy.system(stop_below=("won", 1e9)))
    assert result.summary["phases"]["warmup"]["steps"] == 13


def test_phase_without_steps_is_skipped(tmp_path):
    result = toy.train(tmp_path, toy.system(steps=(0, 4)))
    assert result.summary["phases"]["warmup"] == {"steps": 0, "seconds": 0, "compile_seconds": 0}
    assert {r["phase"] for r in records_of(tmp_path)} == {"fit"}


def test_run_without_steps_is_evaluated(tmp_path):
    result = toy.train(tmp_path, toy.system(steps=(0, 0)))
    expected = toy.init(jax.random.fold_in(jax.random.key(3), 0))
    np.testing.assert_array_equal(result.state["w"], expected["w"])
    again = toy.evaluate_again(tmp_path, toy.system(steps=(0, 0)))
    chex.assert_trees_all_equal(again.state, result.state)


def test_auxiliary_system_is_trained_once_and_given_to_evaluations(tmp_path):
    seen = []

    def evaluate(state, auxiliary, complete):
        seen.append(np.asarray(auxiliary["judge"]["w"]))
        return toy.evaluate(state, auxiliary, complete)

    system = toy.system(evaluate=evaluate, auxiliary={"judge": toy.system()}, steps=(0, 4))
    assert toy.train(tmp_path, system).summary["judges"] == ["judge"]
    judge = json.loads((tmp_path / "judge" / "summary.json").read_text())
    assert judge["phases"]["fit"]["steps"] == 30
    (tmp_path / "summary.json").unlink()
    toy.train(tmp_path, system)
    toy.evaluate_again(tmp_path, system)
    assert len(seen) == 4  # at step 0 and at the end; at the end; by evaluate
    for w in seen:
        np.testing.assert_allclose(w, reference()[1], rtol=1e-5)


def learning_from_another(scale=1.0):
    """A system whose targets are what an auxiliary one, finished, says of the inputs."""

    def learns_from(states):
        w = scale * np.asarray(states["teacher"]["w"])
        return {"targets": toy.data()["inputs"].astype(np.float32) / 255 @ w}

    # 5 steps: the teacher is still far from the truth.
    teacher = toy.system(steps=(0, 5))
    return toy.system(auxiliary={"teacher": teacher})._replace(learns_from=learns_from)


def test_what_a_system_learns_from_another_is_given_to_its_steps_and_not_saved(tmp_path):
    taught = toy.train(tmp_path / "taught", learning_from_another())
    teacher = toy.evaluate_again(tmp_path / "taught" / "teacher", toy.system(steps=(0, 5)))
    targets = toy.data()["inputs"].astype(np.float32) / 255 @ np.asarray(teacher.state["w"])
    told = toy.system()._replace(data=toy.data() | {"targets": targets})
    alone = toy.train(tmp_path / "alone", told)
    chex.assert_trees_all_equal(taught.state, alone.state)
    untaught = toy.train(tmp_path / "untaught")
    assert np.abs(untaught.state["w"] - taught.state["w"]).max() > 0.01
    assert "targets" not in str(jax.tree.structure(taught.state))


def test_a_run_that_learns_from_another_goes_on_bit_for_bit(tmp_path, monkeypatch):
    whole = toy.train(tmp_path / "whole", learning_from_another())
    for at in (0, 4):  # the teacher's first checkpoint; one of the run's own
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crashing(patch, Checkpoints, "save", at, True)
            toy.train(tmp_path / "killed", learning_from_another())
    resumed = toy.train(tmp_path / "killed", learning_from_another())
    chex.assert_trees_all_equal(resumed.state, whole.state)


@pytest.mark.parametrize("bad, last", [(18, 13), (24, 20)])
def test_not_finite_stops_the_run_and_keeps_the_last_checkpoint(tmp_path, bad, last):
    with pytest.raises(training.NotFinite) as caught:
        toy.train(tmp_path, toy.system(sabotage=bad))
    # Step 18 of all is step 5 of the second phase.
    for part in ("loss", f"phase fit, step {bad - 13}", str(tmp_path / "checkpoints" / str(last))):
        assert part in str(caught.value)
    steps = sorted(int(p.name) for p in (tmp_path / "checkpoints").iterdir())
    assert steps[-1] == last
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()


def test_state_that_is_not_a_number_is_not_saved(tmp_path):
    system = toy.system()

    def step(state, data, key):
        state, metrics = system.phases[0].step(state, data, key)
        w = jax.numpy.where(state["count"] == 7, jax.numpy.nan, state["w"])
        return state | {"w": w}, metrics

    phases = (system.phases[0]._replace(step=step),)
    with pytest.raises(training.NotFinite, match="state.*'w'.*step 7; no checkpoint"):
        toy.train(tmp_path, system._replace(phases=phases))


@pytest.mark.parametrize("loops", [False, True])
def test_traces_once_and_compiles_nothing_later(tmp_path, caplog, loops):
    def run(steps, loops):
        system = toy.system()
        step = chex.assert_max_traces(system.phases[1].step, 1)
        phases = (system.phases[1]._replace(step=step, steps=steps),)
        caplog.clear()
        chex.clear_trace_counter()
        with jax.log_compiles():
            system = system._replace(phases=phases)
            folder = tmp_path / f"{steps}{loops}"
            toy.train(folder, system, log_every=2, devices=Devices(loops=loops))
        return [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]

    run(1, loops)  # What the toy's evaluation and the like compile at their first use.
    short, long = run(2, loops), run(41, loops)
    assert len(short) == len(long) > 0


def test_never_waits_between_boundaries(tmp_path, monkeypatch):
    # An interval is read when the next one is handed out.
    order = []
    hand_out, record = Run._hand_out, Run._record
    monkeypatch.setattr(
        Run, "_hand_out", lambda self, done: (order.append(f"out {done}"), hand_out(self, done))
    )

    def recording(self):
        if self._pending:
            order.append(f"read {self._pending[0]}")
        return record(self)

    monkeypatch.setattr(Run, "_record", recording)
    toy.train(tmp_path, toy.system(steps=(20, 0)), checkpoint_every=100, evaluate_every=100)
    assert order == [
        "out 5",
        "out 10",
        "read 5",
        "out 15",
        "read 10",
        "out 20",
        "read 15",
        "read 20",
    ]


def test_seconds_are_those_of_training_steps(tmp_path, monkeypatch):
    now = [0.0]

    def takes(seconds, function):
        """The function, which takes so many seconds of a clock that else stands still."""

        def slow(*args, **kwargs):
            now[0] += seconds
            return function(*args, **kwargs)

        return slow

    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for owner, name, seconds in (
        (Devices, "compile", 0.25),
        (Progress, "advance", 1),  # once a step
        (Checkpoints, "save", 1000),
    ):
        monkeypatch.setattr(owner, name, takes(seconds, getattr(owner, name)))
    system = toy.system(steps=(0, 11), evaluate=takes(100_000, toy.evaluate))
    result = toy.train(tmp_path, system)
    fit = {"steps": 11, "seconds": 11, "compile_seconds": 0.25}
    assert result.summary["phases"]["fit"] == fit
    # Saved at 7 and 11, evaluated at 0, 10 and the end.
    assert now[0] == 11.25 + 2 * 1000 + 3 * 100_000


def test_metric_with_the_name_of_a_field_is_refused(tmp_path):
    step = toy.system().phases[0].step

    def named(*args):
        state, metrics = step(*args)
        return state, {"step": metrics["count"]}

    system = toy.system()
    with pytest.raises(ValueError, match="'step'"):
        toy.train(tmp_path, system._replace(phases=(system.phases[0]._replace(step=named),)))
