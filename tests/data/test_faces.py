"""Every reader on a small tree in the layout that its data set is published in."""

import logging
import zipfile

import numpy as np
import pytest
from data.face_files import encoded, found, home, people, write  # noqa: F401

from icm_jax.data import faces
from icm_jax.data.faces import utkface

UTKFACE = {
    "UTKFace/30_1_2_20170116174525125.jpg.chip.jpg": encoded(10, "JPEG"),
    "UTKFace/7_0_4_20170116 74525125.jpg.chip.jpg": encoded(20, "JPEG"),
    "UTKFace/100_1_0_20170116232725357jpg.chip.jpg": encoded(30, "JPEG"),
    # As in the published set: a number is missing.
    "UTKFace/61_1_20170109142408075.jpg.chip.jpg": encoded(40, "JPEG"),
    "UTKFace/39_1_20170116174525125.jpg.chip.jpg": encoded(50, "JPEG"),
}


def test_utkface(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        splits = faces.load("utkface", write(tmp_path, UTKFACE))
    named = {"age": 30, "age_band": "20-39", "gender": 1, "race": 2}
    assert found(splits) == {
        "UTKFace/30_1_2_20170116174525125.jpg.chip.jpg": (10, 1, named),
        "UTKFace/7_0_4_20170116 74525125.jpg.chip.jpg": (
            (20, 0, {"age": 7, "age_band": "0-12", "gender": 0, "race": 4})
        ),
        "UTKFace/100_1_0_20170116232725357jpg.chip.jpg": (
            (30, 1, {"age": 100, "age_band": "60+", "gender": 1, "race": 0})
        ),
    }
    assert splits.train.images.shape[1:] == (6, 5, 1) and splits.train.labels.dtype == np.int32
    (message,) = [record.getMessage() for record in caplog.records]
    assert "skipped 2 images: 2 not called age_gender_race_time.jpg" in message
    assert "39_1_20170116174525125" in message


@pytest.mark.parametrize(
    ("age", "band"), [(0, "0-12"), (12, "0-12"), (13, "13-19"), (39, "20-39"), (60, "60+")]
)
def test_age_bands(age, band):
    assert utkface.age_band(age) == band


def test_a_zip_gives_what_its_folder_gives(tmp_path):
    path = tmp_path / "UTKFace.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in UTKFACE.items():
            archive.writestr(name, content)
    unpacked = faces.load("utkface", write(tmp_path / "there", UTKFACE), 4)
    assert unpacked.train.images.shape[1:] == (4, 4, 1)
    for split, other in zip(faces.load("utkface", str(path), 4), unpacked, strict=True):
        np.testing.assert_array_equal(split.images, other.images)
        np.testing.assert_array_equal(split.attributes["path"], other.attributes["path"])


@pytest.mark.parametrize("suffix", ["jpg", "JPG", "Jpeg", "png", "PNG", "bmp"])
@pytest.mark.parametrize(
    ("name", "path", "known"),
    [
        ("lfw", "Ann_{letter}/Ann_{letter}_0001.{suffix}", {"person": "Ann_C"}),
        ("utkface", "2{i}_0_1_2017.jpg.chip.{suffix}", {"age": 22, "gender": 0, "race": 1}),
        ("ffhq", "0000{i}.{suffix}", {}),
        ("real_and_fake", "training_fake/mid_{i}_0010.{suffix}", {"nose": 1, "difficulty": "mid"}),
        ("tufts", "TD_IR_E/{i}/TD_IR_E_4.{suffix}", {"person": "2", "expression": "shocked"}),
        ("yale", "subject0{i}.{suffix}/subject0{i}.wink.{suffix}", {"person": "02"}),
    ],
)
def test_any_format_and_any_case_of_suffix(name, path, known, suffix, tmp_path):
    paths = [path.format(i=i, letter="ABCDE"[i], suffix=suffix) for i in range(5)]
    root = write(tmp_path, {path: encoded(10 * i) for i, path in enumerate(paths)})
    rows = found(faces.load(name, root))
    assert [rows[path][0] for path in paths] == [0, 10, 20, 30, 40]
    assert known.items() <= rows[paths[2]][2].items()


def test_a_picture_in_two_formats_is_on_one_side(tmp_path):
    files = {f"{i:05}.{suffix}": encoded(i) for i in range(20) for suffix in ("png", "jpg")}
    train, test = faces.load("ffhq", write(tmp_path, files))
    stems = [{path[:5] for path in split.attributes["path"]} for split in (train, test)]
    assert len(stems[1]) == 2 and len(test.labels) == 4 and not stems[0] & stems[1]


def test_lfw_is_split_by_person(tmp_path, caplog):
    names = [f"Person_{letter}" for letter in "ABCDEFGHIJ"]
    files = {
        f"lfw/{name}/{name}_{i:04}.jpg": encoded(20 * n + i, "JPEG")
        for n, name in enumerate(names)
        for i in (1, 2)
    }
    files["lfw/Person_A/Person_B_0003.jpg"] = encoded(0, "JPEG")
    splits = faces.load("lfw", write(tmp_path, files))
    rows = found(splits)
    assert len(rows) == 20
    assert rows["lfw/Person_C/Person_C_0002.jpg"] == (42, 2, {"person": "Person_C"})
    train, test = people(splits)
    # A fifth of ten people.
    assert len(test) == 2 and not train & test and train | test == set(names)
    assert "skipped 1 images" in caplog.text


def test_ffhq_is_split_by_file_whatever_folders_are_around(tmp_path):
    files = {f"{i:05}.png": encoded(i, shape=(4, 4)) for i in range(20)}
    flat = faces.load("ffhq", write(tmp_path / "flat", files))
    around = {f"images1024x1024/00000/{name}": content for name, content in files.items()}
    nested = faces.load("ffhq", write(tmp_path / "nested", around))
    assert len(flat.test.images) == 2
    for split, other in zip(flat, nested, strict=True):
        np.testing.assert_array_equal(split.images, other.images)
        assert not split.labels.any() and set(split.attributes) == {"path"}


def test_tufts(tmp_path):
    files = {
        "TD_RGB_E_Set1/1/TD_RGB_E_5.jpg": encoded(10, "JPEG"),
        "TD_IR_A/TD_IR_A_Set2/12/TD_IR_A_7.jpg": encoded(20, "JPEG"),
        "TD_CS/TD_CS_12.jpg": encoded(30, "JPEG"),
        "2018/TD_NIR_E/3/TD_NIR_E_1.jpg": encoded(40, "JPEG"),
        "TD_3D/TD_3D_1.ply": b"ply",
        "other/1/photo.jpg": encoded(0, "JPEG"),
    }
    splits = faces.load("tufts", write(tmp_path, files))

    def known(person, modality, expression="unknown"):
        return {"person": person, "modality": modality, "expression": expression}

    # Modalities in sorted order: CS, IR_A, NIR_E, RGB_E.
    assert found(splits) == {
        "TD_RGB_E_Set1/1/TD_RGB_E_5.jpg": (10, 3, known("1", "RGB_E", "sunglasses")),
        "TD_IR_A/TD_IR_A_Set2/12/TD_IR_A_7.jpg": (20, 1, known("12", "IR_A")),
        "TD_CS/TD_CS_12.jpg": (30, 0, known("12", "CS")),
        "2018/TD_NIR_E/3/TD_NIR_E_1.jpg": (40, 2, known("3", "NIR_E", "neutral")),
    }
    train, test = people(splits)
    assert not train & test


def test_yale(tmp_path):
    conditions = ("glasses", "noglasses", "leftlight", "centerlight", "wink")
    files = {
        f"yalefaces/subject{person:02}.{condition}": encoded(10 * person + i, "GIF")
        for person in range(1, 6)
        for i, condition in enumerate(conditions)
    }
    splits = faces.load("yale", write(tmp_path, files | {"yalefaces/Readme.txt": b"hello"}))
    rows = found(splits)
    assert len(rows) == 25
    # In sorted order the conditions are centerlight, glasses, leftlight, noglasses, wink.
    expected = {
        "glasses": (1, "yes", "none"),
        "noglasses": (3, "no", "none"),
        "leftlight": (2, "unknown", "left"),
        "centerlight": (0, "unknown", "center"),
        "wink": (4, "unknown", "none"),
    }
    for i, condition in enumerate(conditions):
        label, glasses, light = expected[condition]
        known = {"person": "03", "condition": condition, "glasses": glasses, "light": light}
        assert rows[f"yalefaces/subject03.{condition}"] == (30 + i, label, known)
    train, test = people(splits)
    assert len(test) == 1 and not train & test


def test_real_and_fake(tmp_path):
    files = {
        "real_and_fake_face/training_real/real_00001.jpg": encoded(10, "JPEG"),
        "real_and_fake_face/training_fake/hard_23_1001.jpg": encoded(20, "JPEG"),
        "real_and_fake_face/training_fake/easy_1.jpg": encoded(30, "JPEG"),
    }
    regions = ("left_eye", "right_eye", "nose", "mouth")
    splits = faces.load("real_and_fake", write(tmp_path, files))
    assert found(splits) == {
        "real_and_fake_face/training_real/real_00001.jpg": (
            (10, 1, {"kind": "real", "difficulty": "none"} | dict.fromkeys(regions, 0))
        ),
        "real_and_fake_face/training_fake/hard_23_1001.jpg": (
            (
                20,
                0,
                {"kind": "fake", "difficulty": "hard"}
                | dict(left_eye=1, right_eye=0, nose=0, mouth=1),
            )
        ),
    }


def test_damaged_images_are_skipped_and_counted(tmp_path, caplog):
    files = {f"{i:05}.png": encoded(i) for i in range(3)}
    files["00003.png"], files["00004.png"] = encoded(3)[:40], b""
    splits = faces.load("ffhq", write(tmp_path, files))
    assert set(found(splits)) == {"00000.png", "00001.png", "00002.png"}
    assert "skipped 2 images: 2 damaged ('00003.png' is not a usable image" in caplog.text


def test_what_cannot_be_loaded_is_said(tmp_path):
    with pytest.raises(ValueError, match="data.name: 'mnist' is unknown .* one of utkface, celeba"):
        faces.load("mnist", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="data.dir: '' is empty"):
        faces.load("lfw", "")
    with pytest.raises(FileNotFoundError, match="data.dir: .*nowhere' is neither a directory nor"):
        faces.load("lfw", str(tmp_path / "nowhere"))
    root = write(tmp_path, {"00000.png": encoded(0), "x.png": encoded(1)})
    with pytest.raises(
        ValueError, match=r"has 1 usable images of data.name 'ffhq'.*called 00000.png.*'x.png'"
    ):
        faces.load("ffhq", root)
    root = write(
        tmp_path / "sizes", {"00000.png": encoded(0), "00001.png": encoded(1, shape=(4, 4))}
    )
    with pytest.raises(ValueError, match="data.size: 0 keeps images as they are, but '00000.png'"):
        faces.load("ffhq", root)


def test_one_person_cannot_be_split(tmp_path):
    files = {f"subject01.{condition}": encoded(1, "GIF") for condition in ("happy", "sad")}
    with pytest.raises(ValueError, match="2 image.s. of one person or file cannot be split"):
        faces.load("yale", write(tmp_path, files))


def test_formats_that_are_not_read_are_counted(tmp_path, caplog):
    files = {f"{i:05}.png": encoded(i) for i in range(3)} | {"00003.avif": b"?"}
    splits = faces.load("ffhq", write(tmp_path, files))
    assert set(found(splits)) == {"00000.png", "00001.png", "00002.png"}
    reason = "'00003.avif' is in a format that is not read"
    assert f"skipped 1 images: 1 damaged ({reason})" in caplog.text
