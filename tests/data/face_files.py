"""Small files as published by data sets of faces, and what is read of them."""

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    """A home of one's own, so that nothing is kept from one test to the next."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    return folder


def encoded(value, file_format="PNG", shape=(6, 5)):
    buffer = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(buffer, file_format)
    return buffer.getvalue()


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(root)


def found(splits):
    """All faces of both splits by path: pixel in the middle, label and attributes."""
    rows = {}
    for split in splits:
        for i, path in enumerate(split.attributes["path"].tolist()):
            known = {k: v[i].item() for k, v in split.attributes.items() if k != "path"}
            middle = split.images[i, split.images.shape[1] // 2, split.images.shape[2] // 2]
            rows[path] = (int(middle.mean().round()), int(split.labels[i]), known)
    return rows


def people(splits):
    return [set(split.attributes["person"].tolist()) for split in splits]
