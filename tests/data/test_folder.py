import io
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from icm_jax.data import folder, image_files


def png(value, shape=(4, 4)):
    buffer = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_directory(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(root)


def write_zip(root, files):
    path = str(root / "images.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


both = pytest.mark.parametrize("write", [write_directory, write_zip])


@both
def test_splits_by_folder_round_trip(write, tmp_path):
    files = {
        "test/b/0.png": png(50),
        "train/a/c/1.png": png(30),
        "train/a/0.png": png(10),
        "train/b/0.jpg": png(40),
        "train/a/1.png": png(20),
    }
    train, test = folder.load(write(tmp_path, files))
    assert train.images.shape == (4, 4, 4, 1)
    assert train.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40]
    # Classes a, a/c and b.
    assert train.labels.tolist() == [0, 0, 1, 2]
    assert train.labels.dtype == np.int32
    assert train.attributes["class"].tolist() == ["a", "a", "a/c", "b"]
    assert train.attributes["path"][2] == "train/a/c/1.png"
    assert test.images[:, 0, 0, 0].tolist() == [50]
    assert test.labels.tolist() == [2]


@both
def test_val_below_a_folder_around_it(write, tmp_path):
    files = {"faces/val/x/0.png": png(1), "faces/train/x/0.png": png(2)}
    train, test = folder.load(write(tmp_path, files))
    assert train.images[0, 0, 0, 0] == 2
    assert test.images[0, 0, 0, 0] == 1
    assert test.attributes["class"].tolist() == ["x"]


def test_test_and_val_leave_a_doubt(tmp_path):
    files = {f"{name}/x/0.png": png(1) for name in ("train", "val", "test")}
    with pytest.raises(ValueError, match=r"data.dir: .*\['test', 'train', 'val'\]"):
        folder.load(write_directory(tmp_path, files))


def test_class_called_train_is_a_class(tmp_path):
    files = {"train/0.png": png(1), "car/0.png": png(2), "train/1.png": png(3)}
    splits = folder.load(write_directory(tmp_path, files))
    assert {name for split in splits for name in split.attributes["class"]} == {"car", "train"}


def test_split_without_folders_is_a_fixed_tenth(tmp_path):
    # Each image has its own value, so that we see where it went.
    files = {f"Greek/{i % 2}/{i:02}.png": png(i) for i in range(40)}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    splits = folder.load(write_directory(tmp_path / "a", files))
    again = folder.load(write_zip(tmp_path / "b", files))
    values = [split.images[:, 0, 0, 0].tolist() for split in splits]
    assert sorted(values[0] + values[1]) == list(range(40))
    # What `md5sum | sort | head -4` gives for these 40 paths.
    assert values[1] == [24, 34, 9, 29]
    for split, same in zip(splits, again, strict=True):
        np.testing.assert_array_equal(split.images, same.images)
        np.testing.assert_array_equal(split.attributes["path"], same.attributes["path"])
        assert split.labels.tolist() == [value % 2 for value in split.images[:, 0, 0, 0]]


@both
def test_what_is_no_image_is_left_out(write, tmp_path):
    files = {
        "a/0.png": png(1),
        "a/subject01.happy": png(2),
        "README.txt": b"hello",
        "__MACOSX/a/._0.png": b"resource fork",
        "a/.DS_Store": b"",
        "a/.hidden.png": b"",
    }
    splits = folder.load(write(tmp_path, files))
    paths = [path for split in splits for path in split.attributes["path"]]
    assert sorted(paths) == ["a/0.png", "a/subject01.happy"]


@both
def test_damaged_image_is_named(write, tmp_path):
    files = {"a/0.png": png(1), "a/1.png": png(2)[:40]}
    with pytest.raises(ValueError, match="data.dir: 'a/1.png' is not a usable image"):
        folder.load(write(tmp_path, files))


@both
def test_sizes_that_differ(write, tmp_path):
    root = write(tmp_path, {"a/0.png": png(7), "a/1.png": png(7, (8, 6)), "a/2.png": png(7)})
    with pytest.raises(ValueError, match="data.size: 0 .*'a/0.png' has 4x4.*'a/1.png' has 8x6"):
        folder.load(root)
    train, test = folder.load(root, size=5)
    assert train.images.shape == (2, 5, 5, 1)
    assert test.images.shape == (1, 5, 5, 1)
    assert set(train.images.ravel().tolist()) == {7}


@both
def test_file_above_the_limit(write, tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_BYTES", 1000)
    allowed = png(1) + bytes(1000 - len(png(1)))
    root = write(tmp_path, {"a/0.png": allowed, "a/1.png": allowed})
    folder.load(root)
    root = write(tmp_path, {"a/0.png": allowed, "a/1.png": allowed + b"0"})
    with pytest.raises(ValueError, match="data.dir: 'a/1.png' has more than 1000 bytes"):
        folder.load(root)


@pytest.mark.parametrize("name", ["../0.png", "a/../../0.png", "/etc/0.png", "..\\0.png"])
def test_zip_that_leads_out_of_itself(name, tmp_path):
    with pytest.raises(ValueError, match="data.dir: .*0.png' in the zip leads out of it"):
        folder.load(write_zip(tmp_path, {"a/0.png": png(1), name: png(2)}))


def test_reading_a_zip_leaves_nothing_behind(tmp_path):
    folder.load(write_zip(tmp_path, {"a/0.png": png(1), "a/1.png": png(2)}))
    assert os.listdir(tmp_path) == ["images.zip"]


def test_damaged_zip_member_is_named(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a/0.png", png(1))
    content = path.read_bytes()
    # The last byte of the stored image: its checksum no longer fits.
    at = content.index(png(1)) + len(png(1)) - 1
    path.write_bytes(content[:at] + b"?" + content[at + 1 :])
    with pytest.raises(ValueError, match="data.dir: 'a/0.png' cannot be read: Bad CRC-32"):
        folder.load(str(path))


def test_link_that_leaves_the_directory(tmp_path):
    (tmp_path / "secret.png").write_bytes(png(1))
    root = write_directory(tmp_path / "images", {"a/0.png": png(1)})
    (tmp_path / "images/a/1.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(ValueError, match="data.dir: .*1.png' is a link that leaves"):
        folder.load(root)


def test_nothing_there(tmp_path):
    for root in ("", str(tmp_path / "none")):
        with pytest.raises(FileNotFoundError, match=f"data.dir: '{root}'"):
            folder.load(root)
    with pytest.raises(ValueError, match="data.dir: .* has 0 images; at least 2"):
        folder.load(str(tmp_path))
