import json
import os
import signal

import chex
import jax
import numpy as np
import pytest
from crashes import Crash, crashing
from training import toy

from icm_jax import training
from icm_jax.training import loop
from icm_jax.training.devices import Devices
from icm_jax.training.progress import Progress
from icm_jax.training.records import Records

# The losses of the intervals of seeds 3, 4 and 5 fall below it at steps 35, 10 and 5.
STOP = ("loss", 1.95)


def records_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_close(folder, other, rtol):
    """The records of two folders are the same but for rounding."""
    for record, expected in zip(records_of(folder), records_of(other), strict=True):
        assert record.keys() == expected.keys() and record["phase"] == expected["phase"]
        numbers, others = (jax.tree.leaves(r | {"phase": 0}) for r in (record, expected))
        np.testing.assert_allclose(numbers, others, rtol=rtol, atol=1e-6)


def runs(steps=(40, 30), **options):
    return toy.several(toy.system(stop_below=STOP, steps=steps, **options))


def steps_of(summary):
    return {name: phase["steps"] for name, phase in summary["phases"].items()}


@pytest.fixture(scope="module", params=[(40, 30), (40, 0)], ids=["two phases", "one"])
def together(request, tmp_path_factory):
    """A folder with three seeds trained at once, the result, and their runs."""
    workdir = tmp_path_factory.mktemp("together")
    return workdir, toy.train_several(workdir, runs(request.param)), runs(request.param)


def test_each_seed_comes_to_what_it_comes_to_alone(together, tmp_path):
    workdir, result, seeded = together
    ended = []
    for run, state in zip(seeded, result.state, strict=True):
        alone = toy.train_several(tmp_path / str(run.seed), [run], config=run.config)
        own = workdir / f"seed_{run.seed}"
        np.testing.assert_allclose(state["w"], alone.state["w"], rtol=1e-5)
        summary = json.loads((own / "summary.json").read_text())
        assert steps_of(summary) == steps_of(alone.summary)
        assert summary.keys() == alone.summary.keys()
        assert (summary["seed"], summary["config"]) == (run.seed, run.config)
        np.testing.assert_allclose(summary["distance"], alone.summary["distance"], rtol=1e-4)
        assert_close(own, tmp_path / str(run.seed), rtol=1e-5)
        files = [
            {path.relative_to(folder) for path in folder.rglob("*") if "events" not in path.name}
            for folder in (own, tmp_path / str(run.seed))
        ]
        apart = {path for path in files[1] if path.parts[0] in ("checkpoints", ".lock")}
        assert files[0] == files[1] - apart
        ended.append(steps_of(summary)["warmup"])
    assert ended == [35, 10, 5]


def test_the_whole_says_what_the_seeds_say(together):
    workdir, result, _ = together
    summary = json.loads((workdir / "summary.json").read_text())
    assert summary == result.summary
    assert summary["seeds"] == [3, 4, 5] and summary["config"] == toy.CONFIG
    each = [json.loads((workdir / f"seed_{k}" / "summary.json").read_text()) for k in (3, 4, 5)]
    assert summary["summaries"] == each
    warmup = [steps_of(one)["warmup"] for one in each]
    assert summary["table"]["mean"]["warmup steps"] == np.mean(warmup)
    np.testing.assert_allclose(summary["table"]["spread"]["warmup steps"], np.std(warmup, ddof=1))
    assert (workdir / "table.md").read_text().startswith("| seed | warmup steps |")
    assert not (workdir / "metrics.jsonl").exists()


def test_each_seed_is_reported_and_then_all(tmp_path):
    reports = []
    seeded = toy.several(toy.system(steps=(0, 1)), (3, 4))
    result = toy.train_several(tmp_path, seeded, write_report=lambda *args: reports.append(args))
    each = [tmp_path / f"seed_{seed}" for seed in (3, 4)]
    figures = [{"loss": folder / "figures" / "loss.png"} for folder in each]
    assert reports == [
        *zip([f / "report.html" for f in each], result.summary["summaries"], figures, strict=True),
        (tmp_path / "report.html", result.summary, {}),
    ]


def test_finished_seeds_are_left_alone_and_can_be_evaluated_again(together):
    workdir, result, seeded = together
    before = [(workdir / f"seed_{k}" / "metrics.jsonl").read_bytes() for k in (3, 4, 5)]
    assert toy.train_several(workdir, seeded).finished_before
    (workdir / "table.md").unlink()
    again = loop.evaluate(seeded, workdir, config=toy.CONFIG, keep=3)
    assert again.summary == result.summary
    chex.assert_trees_all_equal(again.state, result.state)
    after = [(workdir / f"seed_{k}" / "metrics.jsonl").read_bytes() for k in (3, 4, 5)]
    assert before == after and (workdir / "table.md").exists()


@pytest.mark.parametrize(
    "owner, name, at",
    [
        (Progress, "advance", 3),
        (Progress, "advance", 8),  # one seed waits
        (Progress, "advance", 33),  # one seed is left
        (Records, "figures", 1),  # one seed has its summary
    ],
)
def test_killed_and_resumed_seeds_equal_uninterrupted_ones(
    together, tmp_path, monkeypatch, owner, name, at
):
    workdir, result, seeded = together
    with monkeypatch.context() as patch, pytest.raises(Crash):
        crashing(patch, owner, name, at)
        toy.train_several(tmp_path, seeded)
    again = toy.train_several(tmp_path, seeded)
    chex.assert_trees_all_equal(again.state, result.state)
    for k in (3, 4, 5):
        records = [(f / f"seed_{k}" / "metrics.jsonl").read_bytes() for f in (tmp_path, workdir)]
        assert records[0] == records[1]
    for one, other in zip(again.summary["summaries"], result.summary["summaries"], strict=True):
        assert steps_of(one) == steps_of(other)


def test_evaluation_of_one_seed_is_not_lost_with_that_of_the_next(tmp_path):
    calls = []

    def evaluate(state, auxiliary, complete):
        calls.append(complete)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return toy.evaluate(state, auxiliary, complete)

    seeded = toy.several(toy.system(evaluate=evaluate, steps=(0, 4)))
    with pytest.raises(training.Interrupted):
        toy.train_several(tmp_path, seeded)
    toy.train_several(tmp_path, seeded)
    # Of seed 4 again, of seed 5, and of all at the end.
    assert calls == [False, False, False, False, True, True, True]
    for k in (3, 4, 5):
        steps = [r["step"] for r in records_of(tmp_path / f"seed_{k}") if "evaluation" in r]
        assert steps == [0, 4]


def test_judges_are_trained_at_once_too_and_each_seed_gets_its_own(tmp_path):
    seen = []

    def evaluate(state, auxiliary, complete):
        seen.append(np.asarray(auxiliary["judge"]["w"]))
        return toy.evaluate(state, auxiliary, complete)

    judges = toy.several(seeds=(3, 4))
    seeded = [
        run._replace(system=run.system._replace(auxiliary={"judge": judge.system}))
        for run, judge in zip(
            toy.several(toy.system(evaluate=evaluate, steps=(0, 1)), (3, 4)), judges, strict=True
        )
    ]
    toy.train_several(tmp_path / "both", seeded)
    for judge, w in zip(judges, seen, strict=False):
        alone = toy.train_several(tmp_path / str(judge.seed), [judge], config=judge.config)
        np.testing.assert_allclose(w, alone.state["w"], rtol=1e-5)
    assert (tmp_path / "both" / "judge" / "seed_4" / "metrics.jsonl").exists()


def test_each_seed_learns_from_its_own_auxiliary_system(tmp_path):
    def learns_from(states):
        w = np.asarray(states["teacher"]["w"])
        return {"targets": toy.data()["inputs"].astype(np.float32) / 255 @ w}

    def taught(run):
        system = run.system._replace(auxiliary={"teacher": run.system}, learns_from=learns_from)
        return run._replace(system=system)

    runs = [taught(run) for run in toy.several(toy.system(steps=(0, 9)), (3, 4))]
    both = toy.train_several(tmp_path / "both", runs)
    for run, state in zip(runs, both.state, strict=True):
        alone = toy.train_several(tmp_path / str(run.seed), [run], config=run.config)
        np.testing.assert_allclose(state["w"], alone.state["w"], rtol=1e-5)
    assert np.abs(both.state[0]["w"] - both.state[1]["w"]).max() > 0.01


def test_a_number_that_is_not_finite_names_its_seed(tmp_path):
    seeded = toy.several()
    bad = {"targets": np.full(64, np.nan, np.float32)}
    seeded[1] = seeded[1]._replace(
        system=seeded[1].system._replace(data=seeded[1].system.data | bad)
    )
    with pytest.raises(training.NotFinite, match="^seed 4: loss is not finite in .*warmup, step 1"):
        toy.train_several(tmp_path, seeded)


def test_state_that_is_not_a_number_names_its_seed(tmp_path):
    def step(state, data, key):
        new, metrics = toy.step(state, data, key, 0.01)
        return new | {"w": new["w"] + data["bad"]}, metrics

    system = toy.system(steps=(1, 0))
    system = system._replace(phases=(system.phases[0]._replace(step=step),))
    seeded = [
        run._replace(system=system._replace(data=system.data | {"bad": np.float32(bad)}))
        for run, bad in zip(toy.several(system), (0, 0, np.nan), strict=True)
    ]
    with pytest.raises(training.NotFinite, match="^seed 5: .*state.*'w'"):
        toy.train_several(tmp_path, seeded)


def test_all_seeds_are_traced_and_compiled_once(tmp_path, caplog):
    def run(steps):
        system = toy.system()
        step = chex.assert_max_traces(system.phases[1].step, 1)
        init = chex.assert_max_traces(system.init, 1)
        phases = (system.phases[1]._replace(step=step, steps=steps),)
        seeded = toy.several(system._replace(phases=phases, init=init))
        caplog.clear()
        chex.clear_trace_counter()
        with jax.log_compiles():
            toy.train_several(tmp_path / str(steps), seeded, log_every=2)
        return [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]

    run(1)  # What the toy's evaluation and the like compile at their first use.
    short, long = run(2), run(40)
    assert len(short) == len(long) > 0


def test_looped_seeds_equal_stepped_ones(together, tmp_path):
    workdir, result, seeded = together
    looped = toy.train_several(tmp_path, seeded, devices=Devices(loops=True))
    for state, expected in zip(looped.state, result.state, strict=True):
        np.testing.assert_allclose(state["w"], expected["w"], rtol=1e-6)
    for k in (3, 4, 5):
        assert_close(tmp_path / f"seed_{k}", workdir / f"seed_{k}", rtol=1e-6)
