import contextlib
import json
import sys

import pytest
from systems.toy_system import TOY

from benchmarks import apart, contenders, machine, memory, run, step, timing
from icm_jax import default_config
from icm_jax.systems import registry


def small(monkeypatch):
    """Lets the benchmark run with small networks, on a machine that is measured already."""
    c = default_config("icm")
    c.experts.filters, c.experts.layers = 2, 1
    c.discriminator.stages, c.discriminator.hidden = ((2,), (2,)), 3
    c.mechanisms, c.competition.restart.every = ("invert",), 0
    monkeypatch.setattr(
        contenders, "default_config", lambda system: c.copy_and_resolve_references()
    )
    monkeypatch.setattr(machine, "matrix_rates", lambda precision, torch: {"jax": 1e11})
    monkeypatch.setattr(machine, "copy_bandwidth", lambda: 1e10)
    # Another process would have networks of full size.
    monkeypatch.setattr(apart, "Apart", Here)


class Here:
    """A contender in this process that can be closed as one apart."""

    def __init__(self, name, options):
        contender = contenders.make(name, options)
        self.run, self.distinct_winners = contender.run, contender.distinct_winners

    def close(self):
        pass


@pytest.mark.slow
def test_without_pytorch_it_measures_icm_jax_alone_and_says_so(monkeypatch, tmp_path, capsys):
    small(monkeypatch)
    monkeypatch.setitem(sys.modules, "torch", None)
    output = tmp_path / "there" / "step.json"
    flags = ["--experts=2", "--batch=4", "--iterations=3", "--memory=0", "--replicas=2"]
    step.main([*flags, f"--output={output}"])
    (entry,) = json.loads(output.read_text())["experts"]
    assert list(entry["contenders"]) == ["jax", "replicas"]
    assert len(entry["contenders"]["jax"]["times"]) >= 3
    assert 1 <= entry["contenders"]["jax"]["winners"] <= 2
    printed = capsys.readouterr().out
    assert "PyTorch was not measured" in printed
    assert "| 2 | " in printed
    assert "2 replicas s" in printed


def test_flags_that_cannot_work_are_refused(capsys):
    for flag in ("--contenders=keras", "--contenders=replicas", "--batch=0"):
        with pytest.raises(SystemExit):
            step.main([flag])
    assert "batch_size: 0" in capsys.readouterr().err


def test_contenders_take_turns():
    calls = []

    class Fake:
        def __init__(self, name):
            self.name = name

        def run(self, iterations):
            calls.append((self.name, iterations))

        def distinct_winners(self):
            return 1.0

    found = timing.in_turns({"a": Fake("a"), "b": Fake("b")}, 12, 1e-9, 3)
    # Out of time at once, each still takes ten iterations, two samples of three in a turn.
    assert calls[2:] == [(name, 3) for name in "aabb" * 2]
    assert len(found["a"]["times"]) == 4


def test_a_contender_apart_runs_elsewhere_and_says_how_it_failed():
    pytest.importorskip("torch")
    options = contenders.Options(experts=2, batch=3)
    with contextlib.closing(apart.Apart("plain", options)) as plain:
        plain.run(1)
        assert plain.distinct_winners() in (1.0, 2.0)
        with pytest.raises(RuntimeError, match="(?s)plain: .*TypeError"):
            plain.run("many")


def test_summary_by_hand():
    assert timing.summary([1.0, 2.0, 3.0, 4.0, 10.0]) == {
        "median": 3.0,
        "quartiles": [2.0, 4.0],
        "least": 1.0,
        "most": 10.0,
        "samples": 5,
    }


def test_the_memory_of_a_contender_is_that_of_its_own_process():
    pytest.importorskip("torch")
    ballast = bytearray(b"1" * 2**30)  # what this process holds does not count
    found = memory.of("plain", contenders.Options(experts=1, batch=2))
    assert 0 < found["step"] < found["process"] < len(ballast)


def test_where_a_runs_seconds_went(tmp_path, monkeypatch):
    # Whatever the system: what it came to is its own to say.
    monkeypatch.setitem(registry.SYSTEMS, "toy", TOY)
    times = {"steps": 5, "seconds": 20.0, "compile_seconds": 3.0}
    judge = tmp_path / "classifier"
    judge.mkdir()
    (judge / "summary.json").write_text(json.dumps({"phases": {"training": times}}))
    summary = {"system": "toy", "error": 0.5, "phases": {"averaging": times}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    table = run.table([{"seed": 4, "wall_seconds": 60.0, **run.split(tmp_path)}])
    assert table.splitlines()[-1] == "| 4 | 60 | 20 (3) | 20 (3) | 14 | 0.500 from the mean |"
    assert "classifier: training s" in table
