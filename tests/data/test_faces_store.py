import os

import numpy as np
import pytest
from PIL import Image

from icm_jax.data import faces
from icm_jax.data.faces import loading, store


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """The folder that faces are kept in."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home/.cache/icm_jax/faces"


@pytest.fixture
def root(tmp_path):
    """Five faces in a folder."""
    (tmp_path / "ffhq").mkdir()
    for i in range(5):
        write(tmp_path / "ffhq", i, 10 * i)
    return tmp_path / "ffhq"


def write(root, number, value):
    Image.new("RGB", (8, 8), (value, 0, 0)).save(root / f"{number:05}.png")


def reds(root, size=4):
    splits = faces.load("ffhq", str(root), size)
    return sorted(split.images[i, 0, 0, 0] for split in splits for i in range(len(split.images)))


@pytest.fixture
def reads(monkeypatch):
    """The paths of all images that are decoded."""
    decoded, decode = [], loading.decode
    monkeypatch.setattr(
        loading, "decode", lambda content, name: decoded.append(name) or decode(content, name)
    )
    return decoded


def test_images_are_decoded_once(root, kept, reads):
    first = faces.load("ffhq", str(root), 4)
    assert len(reads) == 5
    again = faces.load("ffhq", str(root), 4)
    assert len(reads) == 5
    for split, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(split.images, other.images)
        assert split.images.dtype == np.uint8
        np.testing.assert_array_equal(split.attributes["path"], other.attributes["path"])
    # One file, and nothing unfinished beside it.
    (file,) = os.listdir(kept)
    assert file.startswith("ffhq-4-") and file.endswith(".npz")


def test_other_files_and_other_sizes_are_read_anew(root, kept, reads, monkeypatch):
    assert reds(root) == [0, 10, 20, 30, 40]
    assert len(reads) == 5
    reds(root, 5)
    assert len(reads) == 10
    write(root, 4, 200)
    os.utime(root / "00004.png", ns=(1, 1))
    assert reds(root) == [0, 10, 20, 30, 200]
    write(root, 5, 100)
    assert reds(root) == [0, 10, 20, 30, 100, 200]
    assert len(reads) == 21
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    reds(root)
    assert len(reads) == 27


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "of another kind"])
def test_a_damaged_file_is_made_again(damage, root, kept, reads, caplog):
    expected = reds(root)
    (file,) = kept.iterdir()
    content = file.read_bytes()
    if damage == "of another kind":
        np.savez(file, images=np.zeros((5, 4, 4), np.uint8), skipped=np.array(""))
    else:
        half = len(content) // 2
        changed = content[:100] + bytes([content[100] ^ 1]) + content[101:]
        file.write_bytes({"cut": content[:half], "changed": changed, "emptied": b""}[damage])
    assert reds(root) == expected
    assert len(reads) == 10 and "is damaged" in caplog.text
    assert reds(root) == expected
    assert len(reads) == 10


def test_what_was_skipped_is_said_again(root, kept, caplog):
    (root / "photo.png").write_bytes((root / "00000.png").read_bytes())
    reds(root)
    caplog.clear()
    reds(root)
    assert "skipped 1 images: 1 not called 00000.png ('photo.png')" in caplog.text


def test_where_nothing_can_be_kept_faces_are_read_all_the_same(
    root, tmp_path, reads, monkeypatch, caplog
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert reds(root) == reds(root) == [0, 10, 20, 30, 40]
    assert len(reads) == 10 and "cannot be written" in caplog.text
    assert "damaged" not in caplog.text
