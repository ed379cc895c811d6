import errno
import os

import pytest

from icm_jax import config, paths
from icm_jax.training.workdir import opened


@pytest.mark.parametrize("path", ["gs://bucket/run", "s3:/bucket", "memory:/a"])
def test_an_address_is_refused_before_a_folder_is_made(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = f"workdir: '{path}' is not allowed; it must be a path on this machine"
    with pytest.raises(ValueError, match=message), opened(path, {}):
        pass
    with pytest.raises(ValueError, match=message):
        config.from_workdir(path)
    assert not list(tmp_path.iterdir())


def test_what_an_address_is():
    assert paths.has_scheme("gs://bucket") and paths.has_scheme("memory:/a")
    assert not any(map(paths.has_scheme, ("C:/a", "a/b:c", "/gs://a")))


def test_home_is_found_and_missed_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.local("~/runs/a", "workdir") == tmp_path / "runs" / "a"
    with pytest.raises(ValueError, match="output: '~nobody-of-that-name/a' has a home folder that"):
        paths.local("~nobody-of-that-name/a", "output")


def test_a_path_that_cannot_be_used_is_told(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="^output: '/a+' cannot be used: File name too long$"):
        paths.local("/" + "a" * 300, "output")

    def denied(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(paths.Path, "exists", denied)  # root may read everything
    with pytest.raises(ValueError, match="^workdir: '.*/x' cannot be used: Permission denied$"):
        paths.local(tmp_path / "x", "workdir")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a"
    path.write_text("older")
    with pytest.raises(OSError), paths.replaced(path) as unfinished:
        unfinished.write_text("hal")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "older"
    with paths.replaced(path) as unfinished:
        unfinished.write_text("newer")
        assert path.read_text() == "older"
    assert path.read_text() == "newer" and list(tmp_path.iterdir()) == [path]


def test_two_that_write_a_file_at_once_do_not_meet(tmp_path):
    path = tmp_path / "a"
    with paths.replaced(path) as first, paths.replaced(path) as second:
        first.write_text("first")
        second.write_text("second, which ends sooner")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_a_listing_changes_with_what_is_in_a_folder(tmp_path):
    names = b"a", b"\xff"  # the second is no UTF-8
    found = [paths.digest_listing(tmp_path, "data.dir")]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"1")
        found.append(paths.digest_listing(tmp_path, "data.dir"))
    os.utime(tmp_path / "a", ns=(1, 1))
    found.append(paths.digest_listing(tmp_path, "data.dir"))
    assert len(set(found)) == 4 and paths.digest_listing(tmp_path, "data.dir") == found[-1]
