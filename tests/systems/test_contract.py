"""Every kind keeps its contract, and a kind of one's own is all that a system needs."""

import csv
import json
import numbers

import jax
import pytest
from commands import launched
from systems.counterfactual.gan import tiny as gan
from systems.counterfactual.generation import tiny as counterfactual
from systems.counterfactual.imagenet import tiny as imagenet
from systems.counterfactual.invariance import tiny as invariance
from systems.counterfactual.mixing import tiny as mixing
from systems.icm import tiny as icm
from systems.risk.detection import tiny as detection
from systems.risk.regression import tiny as regression
from systems.stable_features import tiny as stable_features
from systems.toy_system import TOY

from icm_jax import default_config, experiment
from icm_jax.config import to_dict
from icm_jax.study import config as study_config
from icm_jax.study.examine import examine_run
from icm_jax.study.run import run as run_study
from icm_jax.system import Mean
from icm_jax.systems import registry


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(registry.SYSTEMS, "toy", TOY)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    imagenet.put_in_place(monkeypatch)


def tiny_config(name):
    """A config of each kind, and data for it."""
    if name == "toy":
        return default_config("toy"), None
    if name == "counterfactual":
        return counterfactual.counterfactual(), counterfactual.squares()
    if name == "conditional_gan":
        return gan.conditional_gan(), counterfactual.squares()
    if name == "invariant_classifier":
        return invariance.classifier("colored,both"), counterfactual.squares()
    if name == "counterfactual_vae":
        return mixing.counterfactual_vae(), counterfactual.squares()
    if name == "counterfactual_imagenet":
        return imagenet.generator(), None
    if name == "invariant_ensemble":
        return imagenet.ensemble(), imagenet.images()
    if name == "stable_features":
        return stable_features.stable_features(), stable_features.quarters()
    if name == "risk_faces":
        return detection.risk_faces(), detection.blobs()
    if name == "risk_regression":
        wrappers = "ensemble_mve", "controller"
        return regression.regression(wrappers), regression.plane()
    config = icm.icm()
    config.system = name
    return config, icm.splits()


NAMES = (*registry.SYSTEMS, "toy")


def first_state(system):
    return jax.jit(system.init)(jax.random.key(0))


@pytest.mark.parametrize("name", NAMES)
def test_defaults_can_run_and_name_their_system(name):
    config = default_config(name)
    registry.validate(config)
    assert config.system == name
    # A config is kept as JSON.
    assert json.loads(json.dumps(to_dict(config))) == to_dict(config)


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_the_auxiliary_systems(name):
    config, data = tiny_config(name)
    (system,) = experiment.build(config, data)
    assert system.name == name and set(registry.SYSTEMS[name].parts(config)) == set(
        system.auxiliary
    )


@pytest.mark.parametrize("name", NAMES)
def test_steps_keep_the_shape_of_the_state_and_count_their_metrics(name):
    config, data = tiny_config(name)
    if "convolution" in config:
        config.convolution = "auto"
    (system,) = experiment.build(config, data)
    state, *others = (
        jax.eval_shape(of.init, jax.random.key(0)) for of in (system, *system.auxiliary.values())
    )
    system = system.taught(dict(zip(system.auxiliary, others, strict=True)))
    assert system.phases and all(phase.name for phase in system.phases)
    for phase in system.phases:

        def step(state, data, key, phase=phase):
            return phase.step(state, data, key)

        after, metrics = jax.eval_shape(
            jax.vmap(step, (None, None, None), axis_size=1, axis_name="devices", out_axes=None),
            *(state, system.given, jax.random.key(0)),
        )
        assert jax.tree.structure(after) == jax.tree.structure(state)
        shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(after)]
        assert shapes == [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)]
        assert metrics and all(isinstance(metric, Mean) for metric in metrics.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_summary_has_a_story_and_numbers(name):
    config, data = tiny_config(name)
    (system,) = experiment.build(config, data)
    state, kind = first_state(system), registry.SYSTEMS[name]
    auxiliary = {part: first_state(of) for part, of in system.auxiliary.items()}
    evaluation = system.evaluate(state, auxiliary, True)
    summary = {"system": name, **evaluation.summary}
    records = [{"phase": system.phases[-1].name, "step": 1, "evaluation": evaluation.scalars}]
    story = kind.story(summary)
    assert story.sentence == experiment.describe(summary)
    assert all(len(row) == len(story.head) for row in story.rows)
    figures = system.figures(evaluation, records)
    assert {story.picture, *story.curves} <= {"", *figures}
    row = kind.numbers(summary, records)
    assert row and all(v is None or isinstance(v, numbers.Real) for v in row.values())
    if kind.curve is not None:
        assert kind.curve.number in row and kind.curve.scalar in evaluation.scalars


def make_study(**fields):
    made = study_config.study(
        "means",
        "How fast should one learn?",
        default_config("toy"),
        {"slow": {}, "fast": {"rate": 0.5}},
        seeds=2,
        examinations={"to zero": {"kind": "distance", "point": 0.0}},
    )
    made.update(fields)
    return made


def test_the_toy_is_trained_studied_and_examined(tmp_path):
    made = make_study()
    summary = run_study(made, tmp_path)
    named = [(row["variant"], row["seed"]) for row in summary["rows"]]
    assert named == [("fast", 0), ("slow", 0), ("fast", 1), ("slow", 1)]
    # All numbers are from 2 to 4, their mean is 3: so far from 0 are means of a few, nearly.
    assert all(2.5 < row["to zero: distance"] < 3.5 for row in summary["rows"])
    assert all(row["error"] < 0.5 for row in summary["rows"])
    own = tmp_path / "means"
    assert {path.name for path in (own / "figures").iterdir()} == {"comparison.png", "error.png"}
    assert "averaging 20 steps" in (own / "table.md").read_text()
    with (own / "runs.csv").open() as file:
        assert [float(row["error"]) for row in csv.DictReader(file)] == [
            row["error"] for row in summary["rows"]
        ]
    # One of its runs by itself gives what the study found.
    folder = next((tmp_path / "runs").glob("*/report.html")).parent
    found = examine_run(folder, made)["to zero"]["distance"]
    assert found == json.loads((folder / "summary.json").read_text())["mean"]
    assert found in [row["to zero: distance"] for row in summary["rows"]]
    assert json.loads((folder / "examined" / "to zero.json").read_text())["distance"] == found
    # What was found is kept, but not of a run that was trained anew.
    summary = json.loads((folder / "summary.json").read_text()) | {"mean": 9.0}
    (folder / "summary.json").write_text(json.dumps(summary))
    distances = [row["to zero: distance"] for row in run_study(made, tmp_path)["rows"]]
    assert distances.count(9.0) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "transfer", "point": 0.0}, "examinations: 'to zero' has kind 'transfer'; choose"),
        ({"kind": "distance"}, "examinations: 'to zero': point: missing"),
        ({"kind": "distance", "punkt": 0.0}, "examinations: 'to zero': punkt: no such field"),
        ({"kind": "distance", "point": -1.0}, "examinations: 'to zero': point: -1.0 is not all"),
    ],
)
def test_examinations_are_checked_before_anything_is_trained(tmp_path, settings, message):
    made = make_study()
    made.examinations = {"to zero": settings}
    with pytest.raises(ValueError, match=message):
        run_study(made, tmp_path)
    assert not (tmp_path / "runs").exists()


def test_launch_examines_a_finished_run(tmp_path, capsys):
    config = default_config("toy")
    experiment.run(config, tmp_path / "run")
    file = tmp_path / "study.py"
    file.write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config():\n"
        "    return ConfigDict({'examinations': {'zero': {'kind': 'distance', 'point': 0.0}}})\n"
    )
    flags = f"--workdir={tmp_path / 'run'}", f"--config={file}"
    status, out, err = launched(capsys, "--mode=examine", *flags)
    distance = json.loads((tmp_path / "run" / "summary.json").read_text())["mean"]
    assert (status, out) == (0, f"zero, distance: {distance}\n{tmp_path}/run/examined\n"), err
    status, _, err = launched(capsys, "--mode=examine", flags[1])
    assert (status, err) == (1, "error: --workdir: missing; --mode=examine needs it\n")


def test_launch_uses_a_finished_run(tmp_path, capsys):
    result = experiment.run(default_config("toy"), tmp_path / "run")
    flags = {"workdir": tmp_path / "run", "output": tmp_path / "mean"}
    assert launched(capsys, mode="export", **flags) == (0, "wrote mean\n", "")
    assert (tmp_path / "mean").read_text() == f"{result.summary['mean']} None"
    message = "error: --mode=predict: a run of 'toy' cannot do that; it can export\n"
    assert launched(capsys, mode="predict", input="x", **flags) == (1, "", message)
