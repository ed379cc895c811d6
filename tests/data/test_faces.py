"""Every reader on a small tree in the layout that its data set is published in."""

import io
import logging
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from icm_jax.data import faces
from icm_jax.data.faces import mask_detection, utkface


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    """A home of one's own, so that nothing is kept from one test to the next."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    return folder


def encoded(value, file_format="PNG", shape=(6, 5)):
    buffer = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(buffer, file_format)
    return buffer.getvalue()


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(root)


def found(splits):
    """All faces of both splits by path: pixel in the middle, label and attributes."""
    rows = {}
    for split in splits:
        for i, path in enumerate(split.attributes["path"].tolist()):
            known = {k: v[i].item() for k, v in split.attributes.items() if k != "path"}
            middle = split.images[i, split.images.shape[1] // 2, split.images.shape[2] // 2]
            rows[path] = (int(middle.mean().round()), int(split.labels[i]), known)
    return rows


def people(splits):
    return [set(split.attributes["person"].tolist()) for split in splits]


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


CELEBA = {f"img_align_celeba/{i:06}.jpg": encoded(10 * i, "JPEG") for i in range(1, 6)}
LIST = b"""4
5_o_Clock_Shadow Male Young
000001.jpg -1  1  1
000002.jpg  1 -1  1
000003.jpg -1 -1 -1
000005.jpg -1  1
"""


def test_celeba(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        splits = faces.load("celeba", write(tmp_path, CELEBA | {"Anno/list_attr_celeba.txt": LIST}))
    assert found(splits) == {
        "img_align_celeba/000001.jpg": (10, 1, {"5_o_Clock_Shadow": -1, "Male": 1, "Young": 1}),
        "img_align_celeba/000002.jpg": (20, 0, {"5_o_Clock_Shadow": 1, "Male": -1, "Young": 1}),
        "img_align_celeba/000003.jpg": (30, 0, {"5_o_Clock_Shadow": -1, "Male": -1, "Young": -1}),
    }
    # One has no row, one no whole row.
    assert "skipped 2 images" in caplog.text and "000004.jpg" in caplog.text


def test_celeba_as_csv_and_with_people(tmp_path):
    rows = [f"{i:06}.jpg,1,{(-1) ** i}" for i in range(1, 6)]
    extra = {
        "list_attr_celeba.csv": "\n".join(["image_id,Bald,Male", *rows]).encode(),
        "identity_CelebA.txt": b"".join(b"%06d.jpg %d\n" % (i, i // 2) for i in range(1, 6)),
    }
    splits = faces.load("celeba", write(tmp_path, CELEBA | extra))
    rows = found(splits)
    assert rows["img_align_celeba/000002.jpg"] == (20, 1, {"Bald": 1, "Male": 1, "person": "1"})
    train, test = people(splits)
    assert train | test == {"0", "1", "2"} and not train & test


@pytest.mark.parametrize(
    "content",
    [
        LIST.replace(b"-1", b"-1.0").replace(b" 1", b" 1.0"),
        b"\xef\xbb\xbf" + LIST,
        b"\xef\xbb\xbfimage_id,Male,Young\r\n000001.jpg,1,1\r\n000002.jpg,-1,1\r\n000003.jpg,-1,-1",
        b"\xef\xbb\xbf,image_id,Male,Young\n0,000001.jpg,1,1\n1,000002.jpg,-1,1\n2,000003.jpg,-1,-1\n",
        b"Unnamed: 0,image_id,Male,Young\n0,000001.jpg,1,1\n1,000002.jpg,-1,1\n2,000003.jpg,-1,-1",
        b",Male,Young\n000001.jpg,1,1\n000002.jpg,-1,1\n000003.jpg,-1,-1\n",
        b'"image_id";"Male";"Young"\n000001.jpg;1;1.0\n000002.jpg;-1;1\n000003.jpg; -1; -1\n',
    ],
    ids=["1.0", "mark", "mark in csv", "index", "pandas", "files as index", "semicolons"],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "JPEG"])
def test_celeba_as_tools_write_it(content, suffix, tmp_path):
    name = "list_attr_celeba.csv" if b"image_id" in content else "list_attr_celeba.txt"
    images = {f"img/{i:06}.{suffix}": encoded(10 * i) for i in range(1, 4)}
    rows = found(faces.load("celeba", write(tmp_path, images | {name: content})))
    seen = {
        path: (middle, label, known["Male"], known["Young"])
        for path, (middle, label, known) in rows.items()
    }
    assert seen == {
        f"img/000001.{suffix}": (10, 1, 1, 1),
        f"img/000002.{suffix}": (20, 0, -1, 1),
        f"img/000003.{suffix}": (30, 0, -1, -1),
    }
    names = {key for _, _, known in rows.values() for key in known}
    assert names - {"5_o_Clock_Shadow"} == {"Male", "Young"}


def test_celeba_names_file_line_and_column(tmp_path, caplog):
    wrong = LIST.replace(b"000002.jpg  1 -1", b"000002.jpg  1 no")
    faces.load("celeba", write(tmp_path, CELEBA | {"Anno/list_attr_celeba.txt": wrong}))
    assert "1 damaged" not in caplog.text and "2 damaged" in caplog.text
    line = "'Anno/list_attr_celeba.txt' line 4, column 'Male': 'no' is not 1, 0 or -1"
    assert line in caplog.text
    people = b"000001.jpg 1\n000002.jpg 2\n000003.jpg\n"
    beside = {"list_attr_celeba.txt": LIST, "identity_CelebA.txt": people}
    caplog.clear()
    faces.load("celeba", write(tmp_path / "people", CELEBA | beside))
    assert "'identity_CelebA.txt' line 3, column 2: the person is missing" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LIST.replace(b"Male", b"Bald"), "has no column 'Male', which labels number; its .* Bald"),
        (LIST.decode().encode("utf-16"), "is not text in UTF-8; save it as such"),
        (b"", "has no rows"),
        (LIST.replace(b"Young", b"Male"), "has the column 'Male' twice; keep one"),
        (LIST + b"000001.jpg 1 -1 1\n", "lines 3 and 7 are both of '000001.jpg' and differ"),
        (b"4\nMale Young\n", "has no rows"),
    ],
)
def test_celeba_with_another_list(content, message, tmp_path):
    root = write(tmp_path, CELEBA | {"Anno/list_attr_celeba.txt": content})
    with pytest.raises(ValueError, match=f"^data.dir: 'Anno/list_attr_celeba.txt' {message}"):
        faces.load("celeba", root)


@pytest.mark.parametrize("value", ["True", "7", "", "nan", "0.5"])
def test_celeba_with_another_value(value, tmp_path, caplog):
    rows = ["000001.jpg,1", "000002.jpg,-1", f"000003.jpg,{value}", "000005.jpg,0"]
    content = "\n".join(["image_id,Male", *rows]).encode()
    splits = faces.load("celeba", write(tmp_path, CELEBA | {"list_attr_celeba.csv": content}))
    assert sorted(path[-10:-4] for path in found(splits)) == ["000001", "000002", "000005"]
    assert f"csv' line 4, column 'Male': {value!r} is not 1, 0 or -1" in caplog.text


def test_celeba_with_a_list_in_each_folder(tmp_path):
    lists = {f"{part}/list_attr_celeba.txt": LIST for part in ("train", "val")}
    with pytest.raises(
        ValueError, match="'train/list.*' and 'val/list.*' are both list_attr_celeb"
    ):
        faces.load("celeba", write(tmp_path, CELEBA | lists))


def test_celeba_without_its_list(tmp_path):
    with pytest.raises(FileNotFoundError, match="data.dir: list_attr_celeba.txt is missing"):
        faces.load("celeba", write(tmp_path, CELEBA))


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


def annotation(*objects, head=""):
    body = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, (left, top, right, bottom) in objects
    )
    return f"{head}<annotation><folder>images</folder>{body}</annotation>".encode()


def picture():
    """Columns 0 to 7 are 10, the others 200; 20 wide and 12 high."""
    pixels = np.full((12, 20), 200, np.uint8)
    pixels[:, :8] = 10
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_mask_detection_crops_faces(tmp_path, caplog):
    boxes = [("with_mask", (0, 2, 8, 10)), ("without_mask", (8, 0, 30, 12))]
    empty = ("mask_weared_incorrect", (25, 0, 30, 5))
    files = {
        "images/a.png": picture(),
        "images/b.png": picture(),
        "images/alone.png": picture(),
        "annotations/a.xml": annotation(*boxes),
        "annotations/b.xml": annotation(boxes[0], empty),
    }
    train, test = faces.load("mask_detection", write(tmp_path, files), 4)
    rows = {}
    for split in (train, test):
        assert split.images.shape[1:] == (4, 4, 1)
        for i, path in enumerate(split.attributes["path"].tolist()):
            image, mask = split.images[i], split.attributes["mask"][i].item()
            assert (image == image[0, 0]).all()
            rows.setdefault(path, []).append((int(image[0, 0, 0]), int(split.labels[i]), mask))
    assert rows == {
        "images/a.png": [(10, 0, "with_mask"), (200, 1, "without_mask")],
        "images/b.png": [(10, 0, "with_mask")],
    }
    # Faces of one picture are not torn apart.
    assert not set(train.attributes["path"]) & set(test.attributes["path"])
    assert "1 not called images/NAME.png and annotations/NAME.xml ('images/alone.png')" in (
        caplog.text
    )
    box = "'annotations/b.xml' line 1 has the box (25, 0, 30, 5), outside of 'images/b.png'"
    assert f"1 damaged ({box})" in caplog.text


@pytest.mark.parametrize(
    "layout",
    [
        ("{part}/images/a.png", "{part}/annotations/a.xml"),
        ("images/{part}/a.png", "annotations/{part}/a.XML"),
        ("VOC/{part}/JPEGImages/a.png", "VOC/{part}/Annotations/a.xml"),
        ("{part}/a.png", "{part}/a.xml"),
    ],
)
def test_pictures_and_annotations_pair_within_a_folder(layout, tmp_path, caplog):
    image, file = layout
    masks = {"train": "with_mask", "val": "without_mask"}
    files = {image.format(part=part): picture() for part in (*masks, "more")}
    for part, mask in masks.items():
        files[file.format(part=part)] = annotation((mask, (0, 0, 8, 8)))
    files[image.format(part="val").replace("a.png", "b.png")] = picture()
    files[file.format(part="val").replace("a.", "b.")] = annotation(("with_mask", (8, 0, 16, 8)))
    splits = faces.load("mask_detection", write(tmp_path, files), 4)
    rows = {path: row[2]["mask"] for path, row in found(splits).items()}
    assert rows == {
        image.format(part="train"): "with_mask",
        image.format(part="val"): "without_mask",
        image.format(part="val").replace("a.png", "b.png"): "with_mask",
    }
    # A picture without an annotation has none from another folder.
    assert "skipped 1 images" in caplog.text and "more" in caplog.text


def test_two_annotations_of_one_picture(tmp_path):
    files = dict.fromkeys(("a.xml", "annotations/a.xml"), annotation()) | {"a.png": picture()}
    with pytest.raises(ValueError, match="'a.xml' and 'annotations/a.xml' are both annotations of"):
        faces.load("mask_detection", write(tmp_path, files), 4)


def test_boxes_as_tools_write_them():
    edges = (" 1.6 ", "2.7\n", "8.2", "1e1")
    content = b"\xef\xbb\xbf" + annotation(("with_mask", edges))
    # Pixels that lie in the box in part belong to it.
    assert mask_detection.boxes(content, "a.xml") == [
        ("with_mask", (1, 2, 9, 10), "'a.xml' line 1")
    ]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (("x", 0, 8, 8), "line 3 has a box that is not of numbers: xmin 'x', ymin '0'"),
        (("", 0, 8, 8), "line 3 has a box that is not of numbers: xmin ''"),
        (("nan", 0, 8, 8), "line 3 has a box that is not of numbers: xmin 'nan'"),
        ((0, 0, "inf", 8), "line 3 has a box that is not of numbers"),
        (("0,5", 0, 8, 8), "line 3 has a box that is not of numbers: xmin '0,5'"),
        ((8, 0, 0, 8), r"line 3 has an empty box \(8, 0, 0, 8\)"),
        ((30, 0, 40, 8), r"line 3 has the box \(30, 0, 40, 8\), outside of 'images/b.png'"),
    ],
)
def test_a_bad_box_costs_one_face(edges, message, tmp_path, caplog):
    good = ("with_mask", (0, 2, 8, 10))
    bad = annotation(good, ("without_mask", edges)).replace(b"<object>", b"\n<object>")
    files = {"images/a.png": picture(), "images/b.png": picture()}
    files |= {"annotations/a.xml": annotation(good), "annotations/b.xml": bad}
    rows = found(faces.load("mask_detection", write(tmp_path, files), 4))
    assert {path: row[0] for path, row in rows.items()} == {"images/a.png": 10, "images/b.png": 10}
    assert re.search(f"skipped 1 images: 1 damaged .'annotations/b.xml' {message}", caplog.text)


@pytest.mark.parametrize("content", [b"", b"<annotation>", annotation()[:40], b"\xff\xfe<\x00"])
def test_a_damaged_annotation_costs_one_picture(content, tmp_path, caplog):
    files = {f"images/{name}.png": picture() for name in "abc"}
    whole = annotation(("with_mask", (0, 2, 8, 10)))
    files |= {f"annotations/{name}.xml": whole for name in "ab"} | {"annotations/c.xml": content}
    assert set(found(faces.load("mask_detection", write(tmp_path, files), 4))) == {
        "images/a.png",
        "images/b.png",
    }
    assert "1 damaged ('annotations/c.xml' is not a usable annotation" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            annotation(head='<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
            "a.xml' is not a usable annotation: document types are not allowed",
        ),
        (b"<annotation>", "a.xml' is not a usable annotation: no element"),
        (
            annotation(("with_mask", ("x", 0, 1, 1))),
            "a.xml' line 1 has a box that is not of numbers: xmin 'x'",
        ),
        (
            annotation(("hat", (0, 0, 1, 1))),
            "a.xml' line 1 has an object 'hat'; it must be one of mask",
        ),
        ("<?xml version='1.0'?><annotation/>".encode("utf-16"), "not a usable annotation"),
    ],
)
def test_annotations_without_trust(content, message, tmp_path):
    files = {"images/a.png": picture(), "annotations/a.xml": content}
    with pytest.raises(ValueError, match=message):
        faces.load("mask_detection", write(tmp_path, files), 4)


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
