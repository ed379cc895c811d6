import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from commands import launched
from processes import full_disk
from systems.icm import tiny

from icm_jax import classification, experiment, streams, training
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.evaluation import score_all
from icm_jax.systems.icm.model import make_model

PAGE = (Path(__file__).parents[3] / "docs/icm.md").read_text()


def config():
    """Of a run that is soon compiled."""
    c = tiny.icm()
    c.classifier.steps = c.initialization.steps = c.competition.restart.every = 0
    # After so many steps either expert wins some images.
    c.competition.steps = c.evaluation.every = c.log.every = c.checkpoint.every = 60
    return c


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, its final state, and what restores with it."""
    workdir = tmp_path_factory.mktemp("run")
    state = experiment.run(config(), workdir, data=tiny.splits()).state
    return workdir, state, restore.load(workdir)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """The same of two seeds, whose images are padded and whose experts are averaged."""
    workdir = tmp_path_factory.mktemp("seeds")
    padded = config()
    padded.replicas, padded.data.pad, padded.experts.average = 2, 15, 0.9
    return workdir, experiment.run(padded, workdir, data=tiny.splits()).state


def test_mechanisms_of_ones_own_need_not_be_known(run, tmp_path):
    shutil.copytree(run[0], tmp_path / "run")
    config = json.loads((run[0] / "config.json").read_text())
    config["mechanisms"][1] = "mirror"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    images = mixed_images()
    chex.assert_trees_all_equal(restore.load(tmp_path / "run")(images), run[2](images))


def mixed_images():
    """52 images, more than a chunk, of which every other is inverted."""
    images = np.concatenate([split.images for split in tiny.splits()])
    images[::2] = 255 - images[::2]
    return images


def evaluated(state, images):
    """What evaluation makes of images in [0, 1]."""
    outputs, logits = jax.jit(score_all, static_argnums=0)(make_model(tiny.icm()), state, images)
    logits = np.asarray(logits)
    winner = logits.argmax(axis=0)
    best = np.asarray(outputs)[winner, np.arange(len(images))]
    return restore.Restored(best, winner.astype(np.int32), 1 / (1 + np.exp(-logits.max(axis=0))))


def test_it_restores_as_evaluation_does(run):
    _, state, restorer = run
    images = mixed_images()
    restored = restorer(images)
    expected = evaluated(state, images / np.float32(255))
    assert set(expected.expert) == {0, 1}
    chex.assert_trees_all_close(restored, expected, rtol=1e-5)
    assert [part.dtype for part in restored] == [np.float32, np.int32, np.float32]
    assert not jax.tree.leaves(
        (restorer.state.experts.opt_state, restorer.state.discriminator.opt_state)
    )


def test_images_of_any_allowed_form_are_the_same(run):
    restorer = run[2]
    images = mixed_images()[:3]
    expected = restorer(images)
    for same in (images[..., 0], images / 255.0, jax.numpy.asarray(images)):
        chex.assert_trees_all_close(restorer(same), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 28, 1), np.uint8), "28x28 pixels with 1 channel; .*trained on 12x12"),
        (np.zeros((2, 12, 12, 3), np.uint8), "12x12 pixels with 3 channels; .* with 1 channel$"),
        (np.zeros((0, 12, 12, 1), np.uint8), r"shape \(0, 12, 12, 1\) has no images"),
        (np.zeros((12, 12), np.uint8), r"shape \(12, 12\) has no images"),
        (np.zeros((2, 12, 12, 1), np.int32), "int32 is not allowed; it must be uint8 or float"),
        (np.full((2, 12, 12), 255.0), "values from 255.0 to 255.0 are not allowed; .*in .0, 1.$"),
        (np.full((2, 12, 12), np.nan), "values from nan to nan are not allowed"),
    ],
)
def test_images_that_do_not_fit(run, images, message):
    with pytest.raises(ValueError, match=f"^images: .*{message}"):
        run[2](images)


@pytest.mark.slow
def test_one_of_several_seeds_and_padding_as_in_training(seeds):
    workdir, states = seeds
    with pytest.raises(training.WorkdirError, match="several seeds; choose one of .*/seed_0, "):
        restore.load(workdir)
    restorer, images = restore.load(workdir / "seed_1"), mixed_images()
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)))
    restored = restorer(images)
    chex.assert_trees_all_close(restored, evaluated(states[1], padded / np.float32(255)), rtol=1e-5)
    chex.assert_trees_all_equal(restorer(padded), restored)
    message = "images: 13x13 .*trained on 12x12 .*, padded to 15x15 .*data.pad.; give either size"
    with pytest.raises(ValueError, match=message):
        restorer(padded[:, 1:-1, 1:-1])


@pytest.mark.slow
def test_the_judge_is_the_one_of_each_seed(seeds):
    workdir, _ = seeds
    images, labels = tiny.splits().test[:2]
    states = []
    for seed in range(2):
        judge = restore.load_judge(workdir / f"seed_{seed}")
        padded = np.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)))
        classes = np.asarray(judge(images))
        np.testing.assert_array_equal(judge(padded / np.float32(255)), classes)
        summary = json.loads((workdir / f"seed_{seed}" / "summary.json").read_text())
        assert (classes == labels).mean() == summary["accuracy"]["original"]
        (state,) = judge.args
        # It took no step: it is what it started as.
        classifier = classification.make_classifier(config().classifier, 2, size=15)
        key = streams.of_seed(seed, streams.SeedStream.TRAINING)
        start = jax.jit(classifier.init)(images[:1], key)
        chex.assert_trees_all_close(state.params, start.params)
        states.append(state)
    kernels = [state.params["Dense_1"]["kernel"] for state in states]
    assert (kernels[0] != kernels[1]).any()


def test_a_run_of_before_says_that_its_judge_needs_another_evaluation(seeds):
    workdir, _ = seeds
    path = workdir / "seed_1" / "summary.json"
    said = path.read_text()
    older = json.loads(said)
    assert older.pop("judge") == {"classes": 2}
    path.write_text(json.dumps(older))
    message = "summary.json says no judge; evaluate the run again with --mode=evaluate"
    with pytest.raises(training.WorkdirError, match=message):
        restore.load_judge(workdir / "seed_1")
    assert restore.load(workdir / "seed_1").shape == (12, 12, 1)  # experts need no judge
    padded = config()
    padded.replicas, padded.data.pad, padded.experts.average = 2, 15, 0.9
    experiment.run(padded, workdir, mode="evaluate", data=tiny.splits())
    assert json.loads(path.read_text())["judge"] == {"classes": 2}
    assert restore.load_judge(workdir / "seed_1")(tiny.splits().test.images).shape == (12,)


def test_workdirs_that_hold_no_trained_model(run, tmp_path):
    with pytest.raises(ValueError, match="workdir: no config can be read from .*config.json"):
        restore.load(tmp_path)
    shutil.copy(run[0] / "config.json", tmp_path)
    with pytest.raises(training.WorkdirError, match="workdir: the run in .* is not finished"):
        restore.load(tmp_path)
    shutil.copy(run[0] / "summary.json", tmp_path)
    with pytest.raises(training.WorkdirError, match="workdir: there are no checkpoints in"):
        restore.load(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(
        training.WorkdirError, match=f"workdir: there are no checkpoints in {tmp_path}$"
    ):
        restore.load(tmp_path)
    with pytest.raises(training.WorkdirError, match="/classifier is a part of the run in .*; give"):
        restore.load(run[0] / "classifier")
    older = json.loads((run[0] / "config.json").read_text())
    del older["competition"]["keep"]
    del older["competition"]["decay"]
    (tmp_path / "config.json").write_text(json.dumps(older))
    with pytest.raises(
        ValueError,
        match=f"^workdir: {tmp_path}/config.json: competition.keep: missing; its default is 0.0; "
        "competition.decay: missing; its default is 0.5$",
    ):
        restore.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(training.WorkdirError, match="holds a system None, without experts"):
        restore.load(tmp_path)


@pytest.mark.parametrize(
    ("system", "lacks", "judge_lacks"),
    [
        ("oracle", "winners", None),  # its judge is like any other
        ("stable_features", "experts", "experts"),
        ("classification", "experts", "experts"),
    ],
)
def test_systems_that_have_nothing_to_restore_with(run, system, lacks, judge_lacks, tmp_path):
    for name in ("checkpoints", "classifier"):
        (tmp_path / name).symlink_to(run[0] / name)
    shutil.copy(run[0] / "summary.json", tmp_path)
    there = json.loads((run[0] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(there | {"system": system}))
    for use, what in ((restore.load, lacks), (restore.load_judge, judge_lacks)):
        if what is None:
            assert use(tmp_path)(tiny.splits().test.images).shape == (12,)
            continue
        message = f"workdir: {tmp_path} holds a system '{system}', without {what}$"
        with pytest.raises(training.WorkdirError, match=message):
            use(tmp_path)


RUN_ALONE = """
import importlib.util
import sys
import numpy as np

assert importlib.util.find_spec("icm_jax") is None
everything = np.load("images.npy")
results = []
for images in (everything, everything[:3]):
    exec(sys.argv[1])
    results += [images, expert, score]
np.savez("results.npz", *results)
"""


def snippet(word):
    """The Python code of docs/icm.md that has a word in it."""
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.S) if word in code]
    return code


def test_an_exported_model_runs_without_the_package(run, tmp_path, monkeypatch):
    restorer = run[2]
    images = mixed_images() / np.float32(255)
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mnist").symlink_to(run[0])
    monkeypatch.chdir(tmp_path)
    exec(snippet("restore.export"), {"images": images})
    # -I: neither the current folder nor PYTHONPATH is searched for packages.
    command = [sys.executable, "-I", "-c", RUN_ALONE, snippet("deserialize")]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    results = list(np.load(tmp_path / "results.npz").values())
    for count, found in ((len(images), results[:3]), (3, results[3:])):
        expected = tuple(restorer(images[:count]))
        chex.assert_trees_all_close(tuple(found), expected, atol=1e-5)
        chex.assert_trees_all_equal_dtypes(tuple(found), expected)


def test_an_exported_model_is_for_cpu_and_cuda(run, tmp_path):
    restore.export(run[2], tmp_path / "model.jax")
    exported = jax.export.deserialize((tmp_path / "model.jax").read_bytes())
    assert exported.platforms == ("cpu", "cuda")
    assert str(exported.in_avals[0].shape) == "(b, 12, 12, 1)"
    for path in (tmp_path, tmp_path / "nowhere" / "model.jax"):
        with pytest.raises(ValueError, match="output: '.*' is not allowed; it must be a file in a"):
            restore.export(run[2], path)


def test_an_export_on_a_full_disk_leaves_the_older_one(run, tmp_path):
    (tmp_path / "model.jax").write_text("older")
    message = "cannot write .*model.jax: File too large"
    with full_disk(1000), pytest.raises(training.WorkdirError, match=message):
        restore.export(run[2], tmp_path / "model.jax")
    assert (tmp_path / "model.jax").read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["model.jax"]


def test_launch_restores_and_exports(run, tmp_path, capsys):
    images = mixed_images()[:2]
    np.savez(tmp_path / "my.npz", images=images)
    use = {"workdir": str(run[0]), "input": str(tmp_path / "my.npz"), "mode": "restore"}
    status, out, _ = launched(capsys, output=str(tmp_path / "out"), **use)
    names, sure = run[2].diagnose(images, leave=False)[3:5]  # one of two is inverted
    expected = {f"{names[i]}: 1, confidence {sure[i]:.2f}" for i in range(2)}
    assert set(out.splitlines()[1:-1]) == expected and out.startswith("2 images restored")
    with np.load(tmp_path / "out/restored.npz") as arrays:
        chex.assert_trees_all_close(arrays["images"], run[2](images).images, atol=1e-6)
    use = {"workdir": str(run[0]), "mode": "export"}
    status, out, _ = launched(capsys, output=str(tmp_path / "model.jax"), **use)
    assert not status and out == f"{tmp_path}/model.jax\n"
    exported = jax.export.deserialize((tmp_path / "model.jax").read_bytes())
    expected = tuple(run[2](images))
    chex.assert_trees_all_close(exported.call(images / np.float32(255)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "restore"}, "--workdir: missing; --mode=restore needs it"),
        ({"mode": "restore", "workdir": "w", "output": "o"}, "--input: missing; --mode=restore"),
        ({"mode": "export", "workdir": "w"}, "--output: missing; --mode=export needs it"),
        (
            {"mode": "export", "workdir": "w", "output": "o", "config": "configs/mnist.py"},
            "--config: --mode=export takes that of --workdir; leave it out",
        ),
        ({"mode": "export", "workdir": "none", "output": "o"}, "workdir: no config can be read"),
    ],
)
def test_launch_says_in_one_line_what_is_missing(values, message, capsys):
    status, out, err = launched(capsys, **values)
    assert status == 1 and not out
    assert err.startswith(f"error: {message}") and err.count("\n") == 1
