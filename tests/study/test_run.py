import csv
import json

import pytest
from commands import launched
from systems.icm import tiny

from icm_jax import config, data, experiment, training
from icm_jax.config import digest
from icm_jax.study import config as study_config
from icm_jax.study import results
from icm_jax.study import run as study
from icm_jax.systems import registry
from icm_jax.training.workdir import opened


def make_study(**fields):
    """Two variants of the small experiment, two seeds of each."""
    variants = {"10 steps": {"competition": {"steps": 10}}, "9 steps": {}}
    made = study_config.study("tiny_short", "Which is better?", tiny.icm(), variants, seeds=2)
    for name, value in fields.items():
        made[name] = value
    return made


def several_at_once():
    base = tiny.icm()
    base.replicas = 3
    return base


class Runner:
    """Stands for `experiment.run`: leaves the files of a run, and can fail as one may."""

    def __init__(self):
        self.runs, self.judges, self.system = [], set(), "icm"
        self.fails = {}  # (steps, first seed) -> error

    def __call__(self, config, folder):
        run = (config.competition.steps, config.seed)
        if run in self.fails:
            raise self.fails[run]
        self.runs.append(run)
        folder.mkdir(parents=True, exist_ok=True)
        self.judges.add(registry.kind_of(config).parts(config)["classifier"])
        seeds = range(config.seed, config.seed + config.replicas)
        for seed in seeds:
            own = folder / f"seed_{seed}" if config.replicas > 1 else folder
            own.mkdir(exist_ok=True)
            self._leave(own, config.competition.steps, seed)
        (folder / "summary.json").touch()

    def _leave(self, folder, steps, seed):
        masks = [[False, True], [True, True]]
        records = [
            {
                "step": i,
                "evaluation": {"identified": sum(mask), "identified_mechanisms": mask},
            }
            for i, mask in enumerate(masks)
        ]
        lines = [json.dumps(record) for record in records]
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
        kinds = ("original", "transformed", "restored")
        summary = {
            "system": self.system,
            "phases": {"competition": {"steps": steps, "seconds": 60.0, "compile_seconds": 30.0}},
            "specialization": {
                "mechanisms": ["a", "b"],
                "wins": [[1, 0], [0, 1]],
                "identified": 2,
                "idle": [],
                "found": 2,
            },
            "accuracy": dict.fromkeys(kinds, steps / 100 + seed),
            "called_canonical": None,
            "psnr": {"a": 10.0, "b": 20.0},
        }
        (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def runner(monkeypatch):
    made = Runner()
    monkeypatch.setattr(experiment, "run", made)
    return made


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves out pictures, which take longer than all else and are for tests of what they show."""
    monkeypatch.setattr(results, "_draw", lambda study, own, found: None)


def rows(root):
    text = (root / "tiny_short" / "runs.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.slow
def test_every_variant_and_seed_is_run_and_told_apart(runner, tmp_path):
    summary = study.run(make_study(), tmp_path)
    # Seed by seed, numbers in names by their size.
    assert runner.runs == [(9, 0), (10, 0), (9, 1), (10, 1)]
    own = tmp_path / "tiny_short"
    named = [(row["variant"], row["seed"], row["accuracy restored"]) for row in rows(tmp_path)]
    assert named == [
        ("9 steps", "0", "0.09"),
        ("10 steps", "0", "0.1"),
        ("9 steps", "1", "1.09"),
        ("10 steps", "1", "1.1"),
    ]
    assert summary["rows"][0]["PSNR"] == 15.0
    assert summary["rows"][0]["steps until all stay identified"] == 1
    assert summary["rows"][0]["minutes of training"] == 1.5
    assert summary["missing_runs"] == 0
    assert {path.name for path in (own / "figures").iterdir()} == {
        "identified.png",
        "comparison.png",
    }
    assert "Which is better?" in (own / "table.md").read_text()
    assert json.loads((own / "study.json").read_text()) == summary


def test_where_nobody_competes_nothing_is_identified(runner, tmp_path):
    runner.system = "oracle"
    summary = study.run(make_study(), tmp_path)
    assert {"identified", "steps until all stay identified"}.isdisjoint(summary["rows"][0])
    assert summary["rows"][0]["PSNR"] == 15.0
    figures = tmp_path / "tiny_short" / "figures"
    assert {path.name for path in figures.iterdir()} == {"comparison.png"}


@pytest.mark.usefixtures("undrawn")
def test_a_study_that_was_stopped_redoes_no_finished_run(runner, tmp_path):
    runner.fails = {(9, 1): training.Interrupted(15)}
    with pytest.raises(training.Interrupted):
        study.run(make_study(), tmp_path)
    before = rows(tmp_path)
    assert len(before) == 2
    runner.fails = {}
    study.run(make_study(), tmp_path)
    assert runner.runs == [(9, 0), (10, 0), (9, 1), (10, 1)]
    assert rows(tmp_path)[:2] == before


@pytest.mark.usefixtures("undrawn")
def test_studies_share_runs_and_a_judge_a_seed(runner, tmp_path):
    study.run(make_study(), tmp_path)
    other = make_study(variants={"the same": {}, "more": {"competition": {"steps": 11}}})
    other.name = "other"
    study.run(other, tmp_path)
    assert runner.runs == [(9, 0), (10, 0), (9, 1), (10, 1), (11, 0), (11, 1)]
    assert len(runner.judges) == 2
    # Another judge is another matter.
    other.base.classifier.hidden = 9
    study.run(other, tmp_path)
    assert len(runner.judges) == 4


@pytest.mark.usefixtures("undrawn")
def test_a_judge_of_canonical_images_belongs_to_the_mechanisms(runner, tmp_path):
    variants = {"both": {}, "reversed": {"mechanisms": ("invert", "translate_right")}}
    made = make_study(variants=variants, seeds=1)
    study.run(made, tmp_path)
    assert len(runner.judges) == 1
    made.base.classifier.learns = "canonical"
    study.run(made, tmp_path)
    assert len(runner.judges) == 3


@pytest.mark.usefixtures("undrawn")
def test_seeds_can_be_trained_at_once(runner, tmp_path):
    study.run(make_study(seeds=3, seeds_per_run=2), tmp_path)
    assert runner.runs == [(9, 0), (10, 0), (9, 2), (10, 2)]
    found = [(row["variant"], row["seed"], row["accuracy restored"]) for row in rows(tmp_path)]
    assert found[:3] == [
        ("9 steps", "0", "0.09"),
        ("9 steps", "1", "1.09"),
        ("10 steps", "0", "0.1"),
    ]
    assert len(found) == 6
    minutes = [float(row["minutes of training"]) for row in rows(tmp_path)]
    assert minutes == [0.75, 0.75, 0.75, 0.75, 1.5, 1.5]  # a run of two seeds is theirs together


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "error",
    [training.NotFinite("loss"), FileNotFoundError("no data"), training.OutOfMemory("too much")],
)
def test_a_failed_run_does_not_stop_the_others_and_is_tried_again(runner, tmp_path, error):
    runner.fails = {(10, 0): error}
    assert study.run(make_study(), tmp_path)["missing_runs"] == 1
    assert [row["seed"] for row in rows(tmp_path)] == ["0", "1", "1"]
    assert "1 runs missing" in (tmp_path / "tiny_short" / "table.md").read_text()
    runner.fails = {}
    assert study.run(make_study(), tmp_path)["missing_runs"] == 0
    assert runner.runs[-1] == (10, 0)


def test_runs_that_others_finish_or_leave_meanwhile_belong_to_the_study(runner, tmp_path):
    """Another process has two runs; while this one trains it finishes one and leaves the other."""
    runner.fails = {(9, 0): training.InUse("busy"), (9, 1): training.InUse("busy")}

    class Meanwhile(Runner):
        def __call__(self, config, folder):
            super().__call__(config, folder)
            if self.runs[-1] == (10, 1):
                del self.fails[9, 1]
                self.finish(9, 0)

        def finish(self, steps, seed):
            config = study_config.variant(make_study(), f"{steps} steps")
            config.seed = seed
            Runner()(config, tmp_path / "runs" / digest(config))

    runner.__class__ = Meanwhile
    summary = study.run(make_study(), tmp_path)
    assert runner.runs == [(10, 0), (10, 1), (9, 1)]
    assert summary["missing_runs"] == 0
    named = [(row["variant"], row["seed"]) for row in rows(tmp_path)]
    assert named == [("9 steps", "0"), ("10 steps", "0"), ("9 steps", "1"), ("10 steps", "1")]


def test_runs_that_others_finish_at_the_very_end_belong_to_the_study(runner, tmp_path, monkeypatch):
    runner.fails = {(9, 0): training.InUse("busy")}
    write, written = study.results.write, []

    def write_slowly(made, own, found):
        summary = write(made, own, found)
        if not written:
            config = study_config.variant(made, "9 steps")
            Runner()(config, tmp_path / "runs" / digest(config))
        written.append(len(summary["rows"]))
        return summary

    monkeypatch.setattr(study.results, "write", write_slowly)
    runner.fails[10, 1] = runner.fails[9, 1] = training.NotFinite("loss")
    assert len(study.run(make_study(), tmp_path)["rows"]) == 2
    assert len(rows(tmp_path)) == written[-1] == 2


def test_launch_runs_a_study_and_prints_its_table(runner, tmp_path, capsys):
    flags = "--config=configs/study/seeds.py:short", "--config.seeds=2", "--config.seeds_per_run=2"
    status, out, _ = launched(capsys, "--mode=study", f"--workdir={tmp_path}", *flags)
    assert status == 0 and runner.runs == [(600, 0)]
    table = (tmp_path / "seeds_short" / "table.md").read_text()
    assert "| defaults | 0, 1 |" in table
    assert out == f"{table}{tmp_path}/seeds_short\n"


def test_nothing_finished_is_an_error(runner, tmp_path):
    runner.fails = {(9, 0): training.NotFinite("loss"), (10, 0): training.InUse("busy")}
    with pytest.raises(training.WorkdirError, match="tiny_short: no run is finished"):
        study.run(make_study(seeds=1), tmp_path)


@pytest.mark.slow
def test_a_real_study_leaves_runs_that_stand_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda config: tiny.splits())
    monkeypatch.setenv("ICM_JAX_PARTS", str(tmp_path / "parts"))
    made = make_study(seeds=1)
    made.base.initialization.steps = 0  # it need not be compiled
    nine, ten = (study_config.variant(made, name) for name in ("9 steps", "10 steps"))
    folders = [tmp_path / "runs" / digest(c) for c in (nine, ten)]
    with opened(folders[1], config.to_dict(ten)):
        # That run is in work elsewhere, and left to it.
        study.run(made, tmp_path)
    assert [row["variant"] for row in rows(tmp_path)] == ["9 steps"]
    (judge,) = (tmp_path / "parts").iterdir()
    study.run(made, tmp_path)
    # The judge was found in place, not trained, and the run can be used like any other.
    assert not (folders[1] / "classifier" / "tensorboard").exists()
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    assert summaries[0]["accuracy"]["original"] == summaries[1]["accuracy"]["original"]
    again = experiment.run(ten, folders[1], "evaluate").summary
    assert again["accuracy"] == summaries[1]["accuracy"]
    assert float(rows(tmp_path)[1]["accuracy restored"]) == again["accuracy"]["restored"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": 0}, "seeds: 0 is not allowed"),
        ({"name": "runs"}, "name: 'runs' is not allowed; it must be the name of a folder, and not"),
        ({"name": ""}, "name: '' is not allowed; it must be the name of a folder"),
        ({"name": "../a"}, "name: '../a' is not allowed; it must be the name of a folder"),
        ({"base": several_at_once()}, "base.replicas: 3 is not allowed; seeds_per_run says how"),
        ({"variants": {}}, "variants: none"),
        ({"variants": {"a": {"expert": {"count": 1}}}}, "variants: 'a': .*expert"),
        (
            {"variants": {"a": {"experts": {"filter": 16}}}},
            "variants: 'a': experts.filter: no such field; the fields are activation",
        ),
        ({"variants": {"a": {"experts": {"count": "ten"}}}}, "variants: 'a': .*ten"),
        ({"variants": {"a": {"experts": {"count": 0}}}}, "variants: 'a': experts.count: 0"),
        ({"examinations": {"b": {"kind": "foo"}}}, "examinations: 'b' has kind 'foo'"),
    ],
)
def test_bad_studies_are_refused_before_any_work(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        study.run(make_study(**fields), tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_study_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="config: a study has the fields name, question"):
        study.run(tiny.icm(), tmp_path)
