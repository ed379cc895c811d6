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
    # Paths come sorted, and RandomState(0) puts five in the order 2, 0, 1, 3, 4.
    assert train.images[:, 0, 0, 0].tolist() == [20, 10, 30, 40]
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
    # What `md5sum | sort | head -4` gives for these 40 paths, in the order of `set_apart`.
    assert values[1] == [29, 34, 24, 9]
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
    with pytest.raises(ValueError, match="data.dir: 'a.npz' holds arrays; .* to icm_jax.run"):
        folder.load("a.npz")
    with pytest.raises(ValueError, match="data.dir: '/a+' cannot be used: File name too long"):
        folder.load("/" + "a" * 300)
    with pytest.raises(ValueError, match="data.dir: .* has 0 images; at least 2"):
        folder.load(str(tmp_path))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("TRAINING", "testing"),
        ("train", "valid"),
        ("train", "Validation"),
        ("train", "dev"),
        ("train_set", "test_set"),
        ("trainset", "testset"),
        ("train-images", "test"),
        ("train2017", "val2014"),
        ("seg_train", "seg_test"),
        ("a/b/train", "a/b/test"),
    ],
)
def test_spellings_of_splits(train, test, tmp_path):
    files = {f"{train}/x/0.png": png(1), f"{test}/x/0.png": png(2)}
    splits = folder.load(write_directory(tmp_path, files))
    assert [split.images[:, 0, 0, 0].tolist() for split in splits] == [[1], [2]]
    assert [split.attributes["class"].tolist() for split in splits] == [["x"], ["x"]]


def test_splits_inside_of_classes(tmp_path):
    files = {f"{c}/{s}/0.png": png(i) for i, c in enumerate("ab") for s in ("train", "test")}
    for split in folder.load(write_directory(tmp_path, files)):
        # RandomState(0) puts the four paths in the order 2, 3, 1, 0.
        assert split.attributes["class"].tolist() == ["b", "a"]
        assert split.images[:, 0, 0, 0].tolist() == split.labels.tolist() == [1, 0]


def test_classes_that_sound_like_splits_are_classes(tmp_path):
    files = {f"{c}/{i}.png": png(i) for i in range(3) for c in ("bullet_train", "test_tube", "x")}
    splits = folder.load(write_directory(tmp_path, files))
    found = {name for split in splits for name in split.attributes["class"]}
    assert found == {"bullet_train", "test_tube", "x"}


def test_only_folders_to_test_on(tmp_path):
    files = {"Test/x/0.png": png(1), "val/x/0.png": png(2), "train/x/0.npy": b"no image"}
    with pytest.raises(ValueError, match=r"data.dir: .*\['Test', 'val'\], to test on; .*'train'"):
        folder.load(write_directory(tmp_path, files))


def test_a_linked_split_is_not_left_out(tmp_path):
    write_directory(tmp_path / "disk", {"train/a/0.png": png(1)})
    root = write_directory(tmp_path / "in", {"test/a/0.png": png(2), "test/a/1.png": png(3)})
    (tmp_path / "in/train").symlink_to(tmp_path / "disk/train")
    with pytest.raises(ValueError, match="data.dir: '.*train' is a link that leaves .*; put what"):
        folder.load(root)


def test_a_linked_folder_inside_is_followed(tmp_path):
    files = {".store/t/a/0.png": png(1), "test/a/0.png": png(2)}
    root = write_directory(tmp_path, files)
    (tmp_path / "train").symlink_to(tmp_path / ".store/t")
    train, test = folder.load(root)
    assert (train.images[:, 0, 0, 0].tolist(), test.images[:, 0, 0, 0].tolist()) == ([1], [2])


@pytest.mark.parametrize(("link", "target"), [("train", "test"), ("test/a/round", "")])
def test_a_folder_found_twice(link, target, tmp_path):
    root = write_directory(tmp_path, {"test/a/0.png": png(1), "test/a/1.png": png(2)})
    (tmp_path / link).symlink_to(tmp_path / target)
    with pytest.raises(ValueError, match="data.dir: .* are one folder, by a link; remove the link"):
        folder.load(root)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "0.png")
    with pytest.raises(ValueError, match="data.dir: '0.png' cannot be read: it is no regular file"):
        folder.load(str(tmp_path))


def saved(kind, value):
    buffer = io.BytesIO()
    Image.new("L", (4, 4), value).save(buffer, kind)
    return buffer.getvalue()


@both
def test_formats(write, tmp_path):
    kinds = {"dog.webp": "WEBP", "fox.tif": "TIFF", "hen.pgm": "PPM", "owl": "TIFF", "pig": "PPM"}
    files = {f"{name.split('.')[0]}/{name}": saved(kind, 9) for name, kind in kinds.items()}
    splits = folder.load(write(tmp_path, {"cat/0.png": png(9), **files}))
    found = {name for split in splits for name in split.attributes["class"]}
    assert found == {"cat", "dog", "fox", "hen", "owl", "pig"}


@both
@pytest.mark.parametrize("name", ["b/0.HEIC", "b/0.jp2", "b/0.svg", "b/0.tga"])
def test_formats_that_are_not_read_are_named(name, write, tmp_path):
    root = write(tmp_path, {"a/0.png": png(1), "a/1.png": png(2), name: b"?"})
    with pytest.raises(
        ValueError, match=f"data.dir: '{name}' is in a format .*; convert it to PNG"
    ):
        folder.load(root)


def test_grey_in_any_mode_is_grey_and_beside_colour_colour(tmp_path):
    files = {"a/0.png": png(7), "a/1.png": png(8, (4, 4, 3))}
    train, _ = folder.load(write_directory(tmp_path, files))
    assert train.images.shape == (1, 4, 4, 1)
    colour = np.full((4, 4, 3), (1, 2, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colour).save(buffer, "PNG")
    train, test = folder.load(write_directory(tmp_path, {"a/2.png": buffer.getvalue()}))
    found = {tuple(image[0, 0].tolist()) for split in (train, test) for image in split.images}
    assert found == {(7, 7, 7), (8, 8, 8), (1, 2, 3)}


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_directory(tmp_path / "in", {"train/0.png": png(1), "test/0.png": png(2)})
    assert folder.load("~/in").train.images[0, 0, 0, 0] == 1
    with pytest.raises(ValueError, match="data.dir: '~nobody0/in' has a home folder that is not"):
        folder.load("~nobody0/in")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_in_a_zip(tmp_path):
    path = write_zip(tmp_path, {"a/0.png": png(1), "a/1.png": png(2)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/0.png", png(3))
    with pytest.raises(ValueError, match="data.dir: 'a/0.png' is in the zip twice; pack it anew"):
        folder.load(path)


@both
@pytest.mark.parametrize(
    "name", ["b/0.avif", "b/0.j2k", "b/0.jpf", "b/0.TGA", "b/0.qoi", "b/0.pcx"]
)
def test_formats_that_pillow_alone_reads_are_named(name, write, tmp_path):
    root = write(tmp_path, {"a/0.png": png(1), "a/1.png": png(2), name: b"?"})
    with pytest.raises(ValueError, match=f"data.dir: '{name}' is in a format that is not read"):
        folder.load(root)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


@both
def test_a_pointer_of_git_is_no_image(write, tmp_path):
    root = write(tmp_path, {"a/0.png": png(1), "a/1.png": POINTER})
    with pytest.raises(ValueError, match="data.dir: 'a/1.png' is a pointer of Git LFS and not"):
        folder.load(root)
    (tmp_path / "b.zip").write_bytes(POINTER)
    with pytest.raises(ValueError, match="data.dir: '.*b.zip' is a pointer of Git LFS .* lfs pull"):
        folder.load(str(tmp_path / "b.zip"))


@both
@pytest.mark.parametrize(
    ("full", "empty"), [("train", "test"), ("x/Training", "x/val"), ("a/train", "a/test")]
)
def test_an_empty_folder_to_test_on(full, empty, write, tmp_path):
    files = {f"{full}/c/{i}.png": png(i) for i in range(3)}
    root = write(tmp_path, files)
    if root.endswith(".zip"):
        with zipfile.ZipFile(root, "a") as archive:
            archive.writestr(f"{empty}/", b"")
    else:
        (tmp_path / empty).mkdir(parents=True)
    message = f"data.dir: the folder '{empty}', to test on, has no images; put some there, or remov"
    with pytest.raises(ValueError, match=message):
        folder.load(root)


def test_an_empty_folder_beside_full_ones_is_told(tmp_path, caplog):
    root = write_directory(tmp_path, {f"{s}/c/0.png": png(1) for s in ("train", "val")})
    for name in ("test", "train/d"):
        (tmp_path / name).mkdir()
    train, test = folder.load(root)
    assert (len(train.labels), len(test.labels)) == (1, 1)
    message = "data.dir: 'test' and 1 more folders have no image that is read"
    assert [record.getMessage() for record in caplog.records] == [message]


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("caf\u00e9", "cafe\u0301")])
def test_classes_that_look_alike_are_told(one, other, tmp_path, caplog):
    files = {f"{c}/{i}.png": png(i) for i in range(3) for c in (one, other, "dog")}
    splits = folder.load(write_directory(tmp_path, files))
    assert {c for split in splits for c in split.attributes["class"]} == {one, other, "dog"}
    first, second = sorted((one, other))
    message = f"data.dir: {first!a} and {second!a} differ in case or in how letters are encoded"
    (record,) = caplog.records
    assert record.getMessage() == f"{message} alone, and are two classes"


def test_a_zip_that_is_cut_off(tmp_path):
    path = write_zip(tmp_path, {"a/0.png": png(1), "a/1.png": png(2)})
    content = (tmp_path / "images.zip").read_bytes()
    (tmp_path / "images.zip").write_bytes(content[:-30])
    with pytest.raises(ValueError, match="data.dir: '.*images.zip' is no zip, or not all of one"):
        folder.load(path)
