import numpy as np
import pytest

from icm_jax import config
from icm_jax.paths import find_folder, is_address
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.workdir import opened


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gs://bucket/run", "workdir: 'gs://bucket/run' is an address; it must be a path of this"),
        ("s3:/bucket", "workdir: 's3:/bucket' is an address"),
        ("runs/lr[0.1]/a", "workdir: 'runs/lr.0.1./a' has '.0.1.' in its path"),
        ("runs/a\\b", "in its path, under which checkpoints are not found again"),
    ],
)
def test_folders_that_cannot_be_used_are_refused_before_they_are_made(
    path, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message), opened(path, {}):
        pass
    with pytest.raises(ValueError, match=message):
        config.from_workdir(path)
    assert not list(tmp_path.iterdir())


def test_a_linked_folder_is_judged_by_where_it_leads(tmp_path):
    (tmp_path / "lr[0.1]").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "lr[0.1]")
    with pytest.raises(ValueError, match="brackets"):
        find_folder(tmp_path / "link")


def test_home_is_found_and_missed_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_folder("~/runs/a") == tmp_path / "runs" / "a"
    with pytest.raises(ValueError, match="workdir: '~nobody-of-that-name/runs': "):
        find_folder("~nobody-of-that-name/runs")


@pytest.mark.parametrize("name", ["a b", "a*", "a[", "a{b}", "a:b", "ä", "lr=0.1"])
def test_other_names_hold_checkpoints(name, tmp_path):
    folder = find_folder(tmp_path / name)
    folder.mkdir()
    for expected in (None, [0, 1, 2]):
        saved = Checkpoints(folder, 1)
        restored = saved.restore()
        assert (restored and restored.leaves["x"].tolist()) == expected
        if restored is None:
            saved.save(5, {"x": np.arange(3)}, {})
        saved.close()


def test_what_an_address_is():
    assert is_address("gs://bucket") and is_address("memory:/a")
    assert not is_address("C:/a") and not is_address("a/b:c") and not is_address("/gs://a")
