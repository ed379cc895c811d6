import re

import numpy as np
import pytest

from icm_jax.data.npz import read_all_npz, read_npz


def test_named_arrays_or_all(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3), y=np.zeros(2, np.float16))
    (y,) = read_npz(path, ["y"], "data.dir")
    np.testing.assert_array_equal(y, np.zeros(2, np.float16), strict=True)
    found = read_all_npz(path, "data.dir")
    assert list(found) == ["x", "y"] and found["x"].tolist() == [0, 1, 2]


def test_what_is_missing_is_told(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3))
    message = f"data.dir: {str(path)!r} has no array y, z; it has x, and x, y, z are needed"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_npz(path, ["x", "y", "z"], "data.dir")


@pytest.mark.parametrize("content", [b"", b"no zip", "objects", "npy", None])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content == "objects":
        np.savez(path, x=np.array([{}]))
    elif content == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content is not None:
        path.write_bytes(content)
    message = f"^data.dir: {re.escape(repr(str(path)))} cannot be read: "
    for read in (lambda: read_npz(path, ["x"], "data.dir"), lambda: read_all_npz(path, "data.dir")):
        with pytest.raises(ValueError, match=message):
            read()
