"""Use of a finished detector on images of one's own."""

import csv
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from commands import launched
from PIL import Image
from systems.risk.detection import tiny

from icm_jax import experiment, training
from icm_jax.systems.risk import faces
from icm_jax.systems.risk.detection import use
from icm_jax.systems.risk.detection.state import make_detector

FIELDS = ["prediction", "aleatoric", "epistemic", "density", "novelty"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    tiny.make_small(monkeypatch)


def make_config():
    config = tiny.risk_faces("conflict,density")
    config.steps = config.evaluation.every = config.checkpoint.every = 2
    config.model.dropout = 0.5
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run with dropout, an autoencoder and neighbours, and its state."""
    workdir = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        tiny.make_small(patch)
        return workdir, experiment.run(make_config(), workdir, data=tiny.blobs()).state


@pytest.fixture(scope="module")
def detector(run):
    with pytest.MonkeyPatch.context() as patch:
        tiny.make_small(patch)
        return use.load(run[0])


def test_it_says_what_evaluation_does(run, detector):
    images = tiny.blobs().test.images
    evaluated = make_detector(make_config(), (32, 32, 1), 2, None)
    risk = evaluated.describe(run[1].variables, images)
    found = detector(images / np.float32(255))
    assert list(found) == FIELDS
    np.testing.assert_allclose(found["prediction"], risk.prediction[:, 1], atol=1e-6)
    for name in FIELDS[1:]:
        np.testing.assert_allclose(found[name], getattr(risk, name), rtol=1e-4, atol=1e-6)
    assert np.ptp(found["density"]) > 0.1  # of a bank that was read, not of an empty one


def photos(folder):
    """Pictures of any size, in colour, grey and as an array; as files, and as they are read."""
    rng = np.random.RandomState(0)
    colour = rng.randint(0, 256, (50, 41, 3)).astype(np.uint8)
    grey = rng.randint(0, 256, (20, 70)).astype(np.uint8)
    folder.mkdir()
    Image.fromarray(colour).save(folder / "b.png")
    Image.fromarray(grey).save(folder / "a.png")
    return [grey[..., None], colour]


def test_images_go_through_the_pipeline_of_training(run, detector, tmp_path, capsys):
    images = photos(tmp_path / "in")
    prepared = faces.prepare(images, 1, 32, 75)
    flags = {"mode": "predict", "workdir": run[0], "output": tmp_path / "out"}
    status, out, err = launched(capsys, input=tmp_path / "in", **flags)
    assert (status, out) == (0, f"2 images predicted\n{tmp_path}/out/predictions.csv\n"), err
    expected = detector(prepared / np.float32(255))
    with (tmp_path / "out/predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", *FIELDS] and [r["name"] for r in rows] == ["a.png", "b.png"]
    with np.load(tmp_path / "out/predictions.npz") as arrays:
        assert list(arrays) == FIELDS
        for name in FIELDS:
            np.testing.assert_allclose(arrays[name], expected[name], rtol=1e-6)
            np.testing.assert_array_equal(np.float32([row[name] for row in rows]), arrays[name])

    settings = tiny.risk_faces().data
    np.savez(tmp_path / "x.npz", images=images[1][None] / 255.0)
    names, found = use.read(tmp_path / "x.npz", 1, settings)
    assert names == ["00000"]
    np.testing.assert_array_equal(found, prepared[1:])
    # Of a run in colour, with another size and without JPEG.
    settings.size, settings.quality = 64, 0
    _, found = use.read(tmp_path / "in", 3, settings)
    np.testing.assert_array_equal(found, faces.prepare(images, 3, 64, 0))


def snippet():
    """The Python code of docs/risk.md that uses an exported model."""
    page = (Path(__file__).parents[4] / "docs/risk.md").read_text()
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.S) if "export" in code]
    return code


def test_an_exported_detector_says_the_same(run, detector, tmp_path, capsys, monkeypatch):
    flags = {"mode": "export", "workdir": run[0], "output": tmp_path / "model.jax"}
    assert launched(capsys, **flags) == (0, f"{tmp_path}/model.jax\n", "")
    exported = jax.export.deserialize((tmp_path / "model.jax").read_bytes())
    assert [str(of) for of in exported.in_avals] == ["float32[b,32,32,1]", "uint32[]"]
    images = tiny.blobs().test.images / np.float32(255)
    for count, seed in ((5, 0), (40, 9)):
        found = exported.call(images[:count], np.uint32(seed))
        expected = detector(images[:count], seed)
        assert set(found) == set(FIELDS)
        for name in FIELDS:
            # The density near a latent of the bank is a difference of near numbers.
            atol = 1e-4 if name == "density" else 1e-5
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=atol)
    monkeypatch.chdir(tmp_path)
    names = {"inputs": images}
    exec(snippet(), names)
    seeded = detector(images, 0)
    np.testing.assert_allclose(names["found"]["prediction"], seeded["prediction"], atol=1e-5)
    np.testing.assert_allclose(names["found"]["epistemic"], seeded["epistemic"], atol=1e-5)
    # Another seed drops others.
    assert np.abs(seeded["prediction"] - expected["prediction"]).max() > 1e-4


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 9, 9, 2), np.uint8), "2 channels are not allowed; images must have 1 or 3"),
        (np.zeros((2, 9, 9), np.int32), "int32 is not allowed; it must be uint8 or float"),
        (np.full((2, 9, 9), 2.0), "values from 2.0 to 2.0 are not allowed; floats must be in"),
        (np.zeros((0, 9, 9, 1)), r"an array of shape \(0, 9, 9, 1\) has no images"),
    ],
)
def test_arrays_that_are_no_images(images, message, tmp_path):
    np.savez(tmp_path / "x.npz", images=images)
    with pytest.raises(ValueError, match=f"^input: 'images' of '.*x.npz': .*{message}"):
        use.read(tmp_path / "x.npz", 1, tiny.risk_faces().data)


def test_what_cannot_be_done_is_told_in_one_line(run, tmp_path, capsys):
    flags = {"input": tmp_path, "output": tmp_path / "out"}
    message = "--mode=restore: a run of 'risk_faces' cannot do that; it can predict, export"
    status, _, err = launched(capsys, mode="restore", workdir=run[0], **flags)
    assert (status, err) == (1, f"error: {message}\n")
    status, _, err = launched(capsys, mode="predict", workdir=run[0], **flags)
    assert status == 1 and err.startswith(f"error: input: '{tmp_path}' has no image (PNG")
    assert not (tmp_path / "out").exists()
    (tmp_path / "config.json").write_bytes((run[0] / "config.json").read_bytes())
    with pytest.raises(training.WorkdirError, match="workdir: the run in .* is not finished"):
        use.load(tmp_path)
