"""CelebA as published and as tools write its lists."""

import logging

import pytest
from data.face_files import encoded, found, home, people, write  # noqa: F401

from icm_jax.data import faces

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
