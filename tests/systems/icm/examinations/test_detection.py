from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from icm_jax import exported
from icm_jax.systems.icm.examinations import detection
from icm_jax.systems.icm.examinations.cases import Case


def detect(images):
    """Bright images are faces; the brighter the surer."""
    mean = images.mean(axis=(1, 2, 3))
    return {"prediction": mean, "epistemic": 1 - mean}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Of images of 8x8 with one channel."""
    path = tmp_path_factory.mktemp("detector") / "detector.jax"
    exported.write(detect, (8, 8, 1), path)
    return path


def test_what_the_detector_says_of_changed_and_restored_images():
    def restore(images):
        won = 1 - np.asarray(images)
        return won, np.asarray(images), won

    changed = jnp.array([0.2, 0.9])[:, None, None, None]
    found, epistemic = detection.ask_detector(detect, restore, changed)
    assert found.tolist() == [[False, True, False, True], [True, False, True, False]]
    np.testing.assert_allclose(epistemic, [[0.8, 0.2] * 2, [0.1, 0.9] * 2], rtol=1e-6)
    only = lambda images: {"prediction": images.mean(axis=(1, 2, 3))}  # noqa: E731
    assert np.isnan(detection.ask_detector(only, restore, changed)[1]).all()


def test_a_detector_is_read_from_a_file_and_images_are_resized(file):
    said = detection.load_detector(str(file), 1)(jnp.full((3, 12, 12, 1), 0.75))
    np.testing.assert_allclose(said["prediction"], 0.75, rtol=1e-5)
    with pytest.raises(ValueError, match="is of images with 1 channels; the run's have 3"):
        detection.load_detector(str(file), 3)
    with pytest.raises(FileNotFoundError, match="detector: '' is no file"):
        detection.load_detector("", 1)
    other = file.with_name("other")
    other.write_text("no model")
    with pytest.raises(ValueError, match="detector: .* is no exported model of images"):
        detection.load_detector(str(other), 1)


def test_pictures_without_faces_have_the_channels_of_the_run(tmp_path):
    class Run(NamedTuple):
        padded_shape: tuple

    red = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    np.savez(tmp_path / "red.npz", images=red)
    read = detection._read(str(tmp_path / "red.npz"), Run((4, 4, 1)))
    np.testing.assert_allclose(read, np.full((2, 4, 4, 1), 76 / 255), rtol=1e-6)  # its luma
    np.savez(tmp_path / "many.npz", images=np.zeros((2, 8, 8, 7), np.uint8))
    with pytest.raises(ValueError, match="7 channels are not allowed; the run's images have 1"):
        detection._read(str(tmp_path / "many.npz"), Run((4, 4, 1)))


def test_what_is_made_good():
    cases = [Case("clean", "clean", -1, -1, 2), Case("known", "invert", 0, -1, 2)]
    answers = [
        (np.array([[1, 1, 1, 1], [1, 0, 1, 1]]), np.full((2, 4), 0.25)),
        (np.array([[0, 1, 1, 1], [0, 1, 0, 1]]), np.full((2, 4), np.nan)),
    ]
    rows = [detection._said(case, *answer) for case, answer in zip(cases, answers, strict=True)]
    numbers = detection.numbers({"seed": 0, "cases": rows})
    assert numbers["fraction found, clean, experts"] == 0.5
    assert numbers["fraction made good, experts"] == 1
    assert numbers["fraction made good, or left"] == 0.5
    (_, known) = detection.tables([{"cases": rows}])["cases"][1]
    assert numbers["fraction made good, calibrated"] == 1
    assert known[:5] == ["invert", 0, 1, 0.5, 1] and np.isnan(known[5])


def test_a_finished_run_is_examined(folder_run, file, tmp_path):
    settings = detection.SETTINGS.defaults()
    np.savez(tmp_path / "others.npz", images=np.full((3, 20, 20, 1), 255, np.uint8))
    settings.update({"detector": str(file), "non_faces": str(tmp_path / "others.npz")})
    settings.images, settings.left = 4, 1.0
    found = detection.examine(folder_run[0], settings)
    assert [case["name"] for case in found["cases"]] == [
        *("clean", "translate_right", "invert", "no face")
    ]
    assert found["cases"][-1]["found"]["bare"] == 1  # all white
    clean = found["cases"][0]["epistemic"]
    # Calibrated, all of them are left as they are; by the plain rule one of four is.
    assert clean["calibrated"] == clean["bare"]
    assert len({clean["bare"], clean["experts"], clean["or left"]}) == 3
    (figure,) = detection.figures([found]).values()
    figure.canvas.draw()


def test_files_that_are_not_there_are_named(folder_run, file, tmp_path):
    settings = detection.SETTINGS.defaults()
    with pytest.raises(FileNotFoundError, match="^detector: '' is no file; give one of --mode=exp"):
        detection.examine(folder_run[0], settings)
    settings.update({"detector": str(file), "non_faces": str(tmp_path / "others.npz")})
    with pytest.raises(FileNotFoundError, match="^non_faces: there is no file '.*others.npz'"):
        detection.examine(folder_run[0], settings)


def test_faces_of_other_data_are_asked_about(folder_run, file, tmp_path):
    for name, level in {"dark": 0, "light": 255}.items():
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("L", (12, 12), level).save(tmp_path / name / f"{i}.png")
    settings = detection.SETTINGS.defaults()
    settings.update({"detector": str(file), "own": False, "images": 4})
    settings.data.update({"source": "folder", "dir": str(tmp_path)})
    found = detection.examine(folder_run[0], settings)
    by_name = {case["name"]: case["found"]["bare"] for case in found["cases"]}
    # Two of four are white; inverted it is the other two.
    assert by_name["clean"] == by_name["invert"] == 0.5
    assert found["images"] == 4
