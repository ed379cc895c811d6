import re
from pathlib import Path

import pytest
from systems.icm import tiny

import icm_jax

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.slow
def test_the_notebook_example_runs(monkeypatch, tmp_path):
    code = re.findall(r"```python\n(.*?)```", README, re.S)[-1]
    train, test = tiny.splits()
    names = {
        **{"train_images": train.images, "train_labels": train.labels},
        **{"test_images": test.images, "test_labels": test.labels},
    }
    monkeypatch.setattr(icm_jax, "default_config", {"icm": tiny.icm()}.get)
    monkeypatch.chdir(tmp_path)
    try:
        exec(code, names)
    finally:
        icm_jax.mechanisms.unregister("mirror")
    found = names["result"].summary["specialization"]
    assert found["mechanisms"] == ["mirror", "invert"]
    assert (tmp_path / "runs" / "mirror" / "report.html").exists()


def test_files_that_it_names_exist():
    root = Path(__file__).parents[1]
    for name in re.findall(r"`((?:icm_jax|configs|docs)/[\w./]*)`|\((docs/[\w.]*)\)", README):
        assert (root / (name[0] or name[1])).exists(), name
