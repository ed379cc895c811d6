import functools

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from icm_jax.schema import check_settings
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.examinations import transfer
from icm_jax.systems.icm.examinations.images import load_images

# Images [2, 1, 1] whose upper pixel mechanism 0 raises, and whose lower pixel mechanism 1 does.
BANK = [functools.partial(lambda key, x, k: x.at[k].add(0.5), k=k) for k in range(2)]
IMAGES = np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32)[:, None, None, None], (1, 2, 1, 1))


def compete(images):
    """Expert 2 wins what mechanism 0 made and inverts it, expert 0 wins the rest and copies it."""
    images = np.asarray(images)
    upper = (images[:, 0] > images[:, 1])[:, 0, 0]
    outputs = images.copy()
    outputs[upper, 0] -= 0.5
    # Its darkest image expert 2 loses.
    dark = images.min(axis=(1, 2, 3)) < 0.15
    return restore.Restored(outputs, np.where(upper & ~dark, 2, 0).astype(np.int32), None)


@pytest.fixture(scope="module")
def found():
    outcome, samples = transfer.measure(compete, BANK, IMAGES, jax.random.key(0))
    names = ["translate_up", "invert"]
    groups = np.array(["b", "b", "a", "a"])
    result = transfer.summarize(outcome, np.array([2, -1]), 3, groups)
    return {"seed": 0, "images": 4, "mechanisms": names, **result, "samples": samples}


def test_winners_and_psnr_of_known_experts(found):
    # Expert 2 wins three of four images of mechanism 0; mechanism 1 has no expert of its own.
    np.testing.assert_array_equal(found["wins"], [[0.25, 0, 0.75], [1, 0, 0]])
    np.testing.assert_array_equal(found["winner_accuracy"], [0.75, np.nan])
    assert found["experts"] == [2, None]
    outcome, _ = transfer.measure(compete, BANK, IMAGES, jax.random.key(0))
    both = transfer.summarize(outcome, np.array([2, 0]), 3)
    assert both["winner_accuracy"].tolist() == [0.75, 1] and both["groups"] == {}
    # One of two pixels is 1/2 off: 10 log10(8). What mechanism 0 did is undone: about 100 dB.
    changed = 10 * np.log10(8)
    np.testing.assert_allclose(found["psnr_transformed"], [changed, changed], rtol=1e-5)
    assert found["psnr_restored"][0] > 99
    np.testing.assert_allclose(found["psnr_restored"][1], changed, rtol=1e-5)


def test_groups_have_their_own_numbers(found):
    # Of b, which has the darkest image, expert 2 wins one of two.
    assert list(found["groups"]) == ["a", "b"]
    assert found["groups"]["a"]["winner_accuracy"] == 1
    assert found["groups"]["b"]["winner_accuracy"] == 0.5
    assert found["groups"]["b"]["images"] == 2


def test_samples_are_one_image_of_each_mechanism(found):
    pixels = {
        name: values[:, :, 0, 0].tolist()
        for name, values in found["samples"].items()
        if name != "winners"
    }
    # Image 0 (0.1, or 26 of 255) by mechanism 0, image 1 (0.2) by mechanism 1; 0.5 is 127 or 128.
    assert pixels["original"] == [[26, 26], [51, 51]]
    assert pixels["transformed"] == [[153, 26], [51, 178]]
    assert pixels["restored"] == [[26, 26], [51, 178]]
    assert found["samples"]["winners"].tolist() == [0, 0]


def test_numbers_tables_and_figures(found):
    numbers = transfer.numbers(found)
    assert numbers["winner accuracy"] == numbers["winner accuracy, least"] == 0.75
    assert numbers["all experts transfer"] is False
    assert numbers["PSNR gain, least"] == pytest.approx(0, abs=1e-4)
    perfect = found | {"winner_accuracy": [1.0, 0.95]}
    assert transfer.numbers(perfect)["all experts transfer"] is True
    seeds = [found, found | {"winner_accuracy": [0.25, 1.0]}]
    tables = transfer.tables(seeds)
    head, rows = tables["mechanisms"]
    assert [row[:2] for row in rows] == [["translate_up", 0.5], ["invert", 1.0]]
    assert all(len(row) == len(head) for row in rows)
    head, rows = tables["groups"]
    assert [row[:2] for row in rows] == [["a", 1.0], ["b", 0.5]]
    figures = transfer.figures(seeds)
    assert list(figures) == ["samples", "mechanisms", "groups"]
    for figure in figures.values():
        figure.canvas.draw()


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """12x12 images of two alphabets of two characters, three of each, in folders."""
    root = tmp_path_factory.mktemp("letters")
    rng = np.random.RandomState(1)
    for alphabet in ("Greek", "Tifinagh"):
        for character in ("one", "two"):
            folder = root / "all" / alphabet / character
            folder.mkdir(parents=True)
            for i in range(3):
                pixels = rng.randint(0, 256, (12, 12)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def settings(root, **changes):
    made = transfer.SETTINGS.defaults()
    made.images, made.group_by = 8, "alphabet"
    made.data.update({"source": "folder", "dir": str(root)} | changes)
    return made


def test_a_finished_run_is_examined_on_other_images(folder_run, letters):
    workdir, _ = folder_run
    found = transfer.examine(workdir, settings(letters))
    assert found["images"] == 8
    assert {name: group["images"] for name, group in found["groups"].items()} == {
        "Greek": 4,
        "Tifinagh": 4,
    }
    # The sample of inversion shows what the run's experts make of it.
    sample = {name: np.array(values) for name, values in found["samples"].items()}
    np.testing.assert_array_equal(sample["transformed"][1], 255 - sample["original"][1])
    restored = restore.load(workdir)(sample["transformed"].astype(np.uint8))
    assert restored.expert.tolist() == sample["winners"].tolist()
    np.testing.assert_allclose(255 * restored.images, sample["restored"], atol=1)
    assert transfer.examine(workdir, settings(letters)) == found


def test_padding_of_the_data_makes_up_for_a_smaller_size(folder_run, letters):
    found = transfer.examine(folder_run[0], settings(letters, size=8, pad=12))
    original = np.array(found["samples"]["original"])
    assert not original[:, :2].any() and original[:, 2:10].any()


def test_coloured_images_become_grey_for_a_run_on_grey_ones(folder_run, tmp_path):
    colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    for name, colour in colours.items():
        (tmp_path / name).mkdir()
        Image.new("RGB", (12, 12), colour).save(tmp_path / name / "a.png")
        Image.new("RGB", (12, 12), colour).save(tmp_path / name / "b.png")
    made = settings(tmp_path)
    shown, _ = load_images(made.data, 0, restore.load(folder_run[0]))
    assert shown.shape == (6, 12, 12, 1)
    # 255 times 0.114, 0.299 and 0.587, the weights of blue, red and green.
    assert np.unique(np.round(255 * shown)).tolist() == [29, 76, 150]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 10}, "data.size and data.pad: 10x10 .*the run was trained on 12x12"),
        ({"pad": 14}, "data.size and data.pad: 14x14 .*the run was trained on 12x12"),
        ({"pad": 10}, "data.pad: 10 is less than the images' 12x12"),
    ],
)
def test_images_of_another_size_are_refused(folder_run, letters, changes, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        transfer.examine(folder_run[0], settings(letters, **changes))


@pytest.mark.parametrize(
    ("group_by", "folder", "message"),
    [
        ("letter", "all", "group_by: 'letter' is not allowed; it must be one of '', alphabet"),
        ("alphabet", "all/Greek", "group_by: 'alphabet' needs .* classes that lie in folders"),
    ],
)
def test_groups_that_there_are_not(folder_run, letters, group_by, folder, message):
    wanted = settings(letters / folder)
    wanted.group_by = group_by
    with pytest.raises(ValueError, match=message):
        transfer.examine(folder_run[0], wanted)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kind", "composition", "kind: 'composition' is not allowed; it must be one of transfer"),
        ("images", -1, "images: -1 is not allowed; it must be at least 0"),
        ("images", 1.5, "images: 1.5 is not allowed; it must be a whole number, at least 0"),
        ("data.source", "web", "data.source: 'web' is not allowed; it must be one of bundled"),
        ("data.pad", "2", "data.pad: '2' is not allowed; it must be a whole number, at least 0"),
    ],
)
def test_bad_settings_are_refused(field, value, message):
    wanted = transfer.SETTINGS.defaults()
    with wanted.ignore_type():
        wanted.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=f"^{message}"):
        check_settings(wanted, transfer.SETTINGS)


def test_settings_have_the_fields_of_a_configs_data():
    wanted = transfer.SETTINGS.defaults().to_dict()
    wanted["data"]["colour"] = True
    with pytest.raises(ValueError, match="^data.colour: no such field; the fields are box, canon"):
        check_settings(ConfigDict(wanted), transfer.SETTINGS)
    del wanted["data"]
    with pytest.raises(ValueError, match="^data: missing; its fields are box, canonical"):
        check_settings(ConfigDict(wanted), transfer.SETTINGS)
