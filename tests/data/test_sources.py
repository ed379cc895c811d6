import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from icm_jax import data

OFF = {"invert": False, "thicken": 0, "box": 0}


def config(**fields):
    return ConfigDict({"source": "bundled", "name": "mnist", "dir": "", "size": 0, **OFF, **fields})


def test_bundled_and_one_digit_of_it():
    splits = data.load(config())
    assert splits.train.images.shape == (60000, 28, 28, 1)
    train, test = data.restrict(splits, (3,))
    assert train.images.shape == (6131, 28, 28, 1)
    assert test.images.shape == (1010, 28, 28, 1)
    assert set(train.labels) == set(test.labels) == {3}


def test_a_folder_that_would_not_be_read_is_refused():
    with pytest.raises(ValueError, match="^data.dir: 'mine' is not read with data.source 'b"):
        data.load(config(dir="mine"))


def test_size_of_bundled():
    _, test = data.load(config(size=14))
    assert test.images.shape == (10000, 14, 14, 1)
    assert test.images.dtype == np.uint8


def test_dark_on_bright_becomes_bright_on_dark():
    one, _ = data.load(config())
    inverted, _ = data.load(config(invert=True))
    np.testing.assert_array_equal(inverted.images[:5], 255 - one.images[:5])


def test_drawings_become_like_digits_after_they_are_inverted(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "a").mkdir(parents=True)
        image = Image.new("L", (40, 30), 255)
        image.paste(0, (3, 4, 11, 20))  # 16 high, 8 wide, dark
        image.save(tmp_path / split / "a" / "0.png")
    fields = {"source": "folder", "dir": str(tmp_path), "size": 14, "box": 10, "invert": True}
    train, _ = data.load(config(**fields))
    assert train.images.shape == (1, 14, 14, 1)
    assert (train.images[0, 2:12, 5:9] > 250).all()
    for wrong in ({"box": 15}, {"box": 0, "thicken": 3}):
        with pytest.raises(ValueError, match="data.box: .* must be from 1 to data.size, or 0"):
            data.load(config(**fields | wrong))


def test_folder(tmp_path):
    for split in ("train", "test"):
        for label in "ab":
            (tmp_path / split / label).mkdir(parents=True)
            Image.new("L", (3, 3)).save(tmp_path / split / label / "0.png")
    train, test = data.load(config(source="folder", dir=str(tmp_path)))
    # In the order of `set_apart`.
    assert train.attributes["class"].tolist() == ["a", "b"]
    assert test.attributes["class"].tolist() == ["b", "a"]


def test_tfds_gets_its_fields(monkeypatch):
    one = data.Dataset(np.zeros((1, 8, 8, 1), np.uint8), np.zeros(1, np.int32), {})
    calls = []
    fake = SimpleNamespace(load=lambda *fields: calls.append(fields) or data.Splits(one, one))
    monkeypatch.setitem(sys.modules, "icm_jax.data.tfds_source", fake)
    monkeypatch.setattr(data, "tfds_source", fake, raising=False)
    data.load(config(source="tfds", name="cifar10", dir="/data", size=8))
    assert calls == [("cifar10", "/data", 8)]


def test_unknown_source():
    with pytest.raises(ValueError, match="'foo' is unknown; choose one of bundled, tfds, folder"):
        data.load(config(source="foo"))


def test_negative_size():
    with pytest.raises(ValueError, match="data.size: -1 is negative"):
        data.load(config(size=-1))


def test_faces_get_their_fields(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for i in range(3):
        Image.new("RGB", (9, 7), (10, 20, 30)).save(tmp_path / f"{i:05}.png")
    train, test = data.load(config(source="faces", name="ffhq", dir=str(tmp_path), size=4))
    assert len(train.images) + len(test.images) == 3
    assert train.images.shape[1:] == (4, 4, 3)


def test_bundled_faces_are_resized():
    train, _ = data.load(config(name="orl", size=12))
    assert train.images.shape == (320, 12, 12, 1)
