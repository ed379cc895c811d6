import csv
import io
import zipfile
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from processes import full_disk
from systems.icm import tiny

from icm_jax import training
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.restore import Restored, Restorer
from icm_jax.systems.icm.restore_files import read, restore_files
from icm_jax.systems.icm.state import init


def make_restorer(channels):
    """An untrained model of images of 12x12, padded to 14x14."""
    model = make_model(tiny.icm())
    example = jnp.zeros((1, 14, 14, channels))
    state = jax.jit(lambda key: init(model, 2, example, key))(jax.random.key(0))
    shapes = (12, 12, channels), (14, 14, channels)
    return Restorer(model, state, np.arange(len(state.share)), *shapes, ("invert", "noise"))


@pytest.fixture(scope="module")
def restorer():
    return make_restorer(1)


def encoded(shape, kind="PNG", seed=0):
    pixels = np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


FILES = {
    "b/1.png": encoded((14, 14), seed=1),
    "a.gif": encoded((12, 12), "GIF", seed=2),
    "b/1.jpg": encoded((12, 12), "JPEG", seed=3),
    "b/c/2.PNG": encoded((12, 12), seed=4),
    "notes.txt": b"no image",
}
NAMES = ["a.gif", "b/1.jpg", "b/1.png", "b/c/2.PNG"]


def pixels_of(name):
    """As read, in [0, 1], and padded."""
    with Image.open(io.BytesIO(FILES[name])) as image:
        pixels = np.asarray(image.convert("L"))[..., None] / np.float32(255)
    return pixels if len(pixels) == 14 else np.pad(pixels, ((1, 1), (1, 1), (0, 0)))


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def as_folder(root):
    return write(root / "folder", FILES)


def as_zip(root):
    with zipfile.ZipFile(root / "images.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return root / "images.zip"


@pytest.mark.parametrize("make", [as_folder, as_zip])
def test_what_is_written_for_a_folder_or_a_zip(make, restorer, tmp_path):
    output = tmp_path / "new" / "out"
    restored = restore_files(restorer, make(tmp_path), output)
    expected = restorer(np.stack([pixels_of(name) for name in NAMES]))
    chex.assert_trees_all_close(Restored(*restored[:3]), expected, rtol=1e-5)
    with np.load(output / "restored.npz") as arrays:
        for name, values in restored._asdict().items():
            np.testing.assert_array_equal(arrays[name], values)
    with (output / "restored.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == NAMES
    assert [int(row["expert"]) for row in rows] == restored.expert.tolist()
    for column in ("score", "confidence", "untouched"):
        assert [np.float32(row[column]) for row in rows] == getattr(restored, column).tolist()
    assert [row["mechanism"] for row in rows] == restored.mechanism.tolist()
    # Two of them would both be 1.png.
    paths = [output / "images" / f"{name}.png" for name in NAMES]
    assert sorted(path for path in (output / "images").rglob("*") if path.is_file()) == paths
    pngs = np.stack([np.asarray(Image.open(path))[..., None] for path in paths])
    assert pngs.dtype == np.uint8 and len(np.unique(pngs)) > 2
    np.testing.assert_allclose(pngs / 255, restored.images, atol=0.5001 / 255)


def test_an_output_that_is_not_empty_is_left_alone(restorer, tmp_path):
    (tmp_path / "out").mkdir()
    source = write(tmp_path, {"a.png": encoded((12, 12))}) / "a.png"
    restore_files(restorer, source, tmp_path / "out")  # An empty folder will do.
    assert (tmp_path / "out" / "images" / "a.png").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ValueError, match="output: '.*out' is there and not empty; choose a new"):
        restore_files(restorer, source, tmp_path / "out")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ValueError, match="output: '.*a.png' is there"):
        restore_files(restorer, source, source)
    with pytest.raises(training.WorkdirError, match="cannot write .*: Not a directory"):
        restore_files(restorer, source, source / "out")


def test_one_file_and_arrays(restorer, tmp_path):
    source = write(tmp_path, FILES)
    names, images = read(restorer, source / "b/1.png")
    assert names == ["1.png"]
    chex.assert_trees_all_equal(images, pixels_of("b/1.png")[None])
    for name, kept in (("uint8", FILES["a.gif"]), ("float", FILES["a.gif"])):
        with Image.open(io.BytesIO(kept)) as image:
            array = np.asarray(image.convert("L"))[None]
        np.savez(tmp_path / f"{name}.npz", images=array if name == "uint8" else array / 255.0)
        names, images = read(restorer, tmp_path / f"{name}.npz")
        assert names == ["00000"]
        chex.assert_trees_all_close(images, pixels_of("a.gif")[None], rtol=1e-6)


def test_grey_files_are_colour_for_a_model_of_colour(tmp_path):
    source = write(tmp_path, {"a.png": encoded((12, 12, 3)), "b.png": encoded((12, 12))})
    restored = restore_files(make_restorer(3), source, tmp_path / "out")
    chex.assert_shape(restored.images, (2, 14, 14, 3))
    _, images = read(make_restorer(3), source / "b.png")
    chex.assert_trees_all_equal(images[..., 0], images[..., 2])
    assert np.asarray(Image.open(tmp_path / "out/images/a.png")).shape == (14, 14, 3)


def write_npz(root, **arrays):
    np.savez(root / "x.npz", **arrays)
    return root / "x.npz"


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
PICKLED = {"images": np.array([{}], object)}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda root: root / "none", FileNotFoundError, "'.*none' is neither a directory nor"),
        (lambda root: root / "none.npz", FileNotFoundError, "there is no file '.*none.npz'"),
        (lambda root: root, ValueError, r"'.*' has no image \(PNG"),
        (lambda root: write(root, {"a/b.png": encoded((9, 8))}), ValueError, "'a/b.png': 9x8 pix"),
        (
            lambda root: write(root, {"a.png": encoded((12, 12, 3))}),
            ValueError,
            "'a.png': 12x12 pixels with 3 channels; the run was trained on .* with 1 channel",
        ),
        (lambda root: write(root, {"a.png": b"no"}), ValueError, "'a.png' is not a usable image"),
        (lambda root: write(root, {"a.txt": b"no"}) / "a.txt", ValueError, "'a.txt' is not a usa"),
        (
            lambda root: write(root, {"a.npz": b"no"}) / "a.npz",
            ValueError,
            "'.*a.npz' cannot be read",
        ),
        (
            lambda root: write(root, {"a.zip": b"no"}) / "a.zip",
            ValueError,
            "'.*' is no zip, or not",
        ),
        (
            lambda root: write(root, {"a.npz": POINTER}) / "a.npz",
            ValueError,
            "'.*' is a pointer of",
        ),
        (
            lambda root: write(root, {"a.zip": POINTER}) / "a.zip",
            ValueError,
            "'.*' is a pointer of",
        ),
        (lambda root: write(root, {"a.QOI": b"?"}) / "a.QOI", ValueError, "'a.QOI' is in a format"),
        (lambda root: write(root, {"a.png": POINTER}), ValueError, "'a.png' is a pointer of Git"),
        (lambda root: write(root, {"a.avif": b"no"}), ValueError, "'a.avif' is in a format that"),
        (
            lambda root: write_npz(root, image=np.zeros(3)),
            ValueError,
            "'.*x.npz' has no array images; it has image,",
        ),
        (
            lambda root: write_npz(root, **PICKLED),
            ValueError,
            "'.*x.npz' cannot be read: .*allow_pickle",
        ),
        (
            lambda root: write_npz(root, images=np.zeros((2, 9, 9))),
            ValueError,
            "'images' of '.*x.npz': 9x9 pixels with 1 channel; the run was trained on 12x12",
        ),
    ],
)
def test_inputs_that_cannot_be_restored(make, error, message, restorer, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    with pytest.raises(error, match=f"^input: {message}") as caught:
        restore_files(restorer, make(source), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_link_that_leaves_the_folder(restorer, tmp_path):
    write(tmp_path, {"secret.png": encoded((12, 12)), "in/a.png": encoded((12, 12))})
    Path(tmp_path, "in/b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(ValueError, match="^input: .*b.png' is a link that leaves"):
        read(restorer, tmp_path / "in")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.gif", "b/1.jpg"], ["a.png", "b/1.png"]),
        (["a.gif", "a.jpg"], ["a.gif.png", "a.jpg.png"]),
        (["A.gif", "a.jpg"], ["A.gif.png", "a.jpg.png"]),
        (["a", "a.png/b.png"], ["00000.png", "00001.png"]),
        (["x" * 255], ["00000.png"]),
    ],
)
def test_names_of_what_is_written(names, expected, restorer, tmp_path):
    source = write(tmp_path / "in", {name: encoded((12, 12)) for name in names})
    restore_files(restorer, source, tmp_path / "out")
    images = tmp_path / "out/images"
    found = [p.relative_to(images).as_posix() for p in images.rglob("*") if p.is_file()]
    assert sorted(found) == expected


def test_grey_saved_as_colour_is_grey(restorer, tmp_path):
    with Image.open(io.BytesIO(FILES["b/1.png"])) as image:
        image.convert("RGB").save(tmp_path / "a.png")
        np.savez(tmp_path / "a.npz", images=np.asarray(image.convert("RGB"))[None])
    for name in ("a.png", "a.npz"):
        _, images = read(restorer, tmp_path / name)
        chex.assert_trees_all_equal(images, pixels_of("b/1.png")[None])


def test_a_linked_folder_is_not_left_out(restorer, tmp_path):
    write(tmp_path, {"disk/b.png": encoded((12, 12)), "in/a.png": encoded((12, 12))})
    (tmp_path / "in/more").symlink_to(tmp_path / "disk")
    with pytest.raises(ValueError, match="^input: .*more' is a link that leaves .*; put what"):
        read(restorer, tmp_path / "in")


def test_home_folder(restorer, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, {"in/a.png": encoded((12, 12))})
    restore_files(restorer, "~/in", "~/out")
    assert (tmp_path / "out/images/a.png").exists()
    with pytest.raises(ValueError, match="^input: '~nobody0/in' has a home folder that"):
        restore_files(restorer, "~nobody0/in", "~/new")
    with pytest.raises(ValueError, match="^output: '~nobody0/out' has a home folder that"):
        restore_files(restorer, "~/in", "~nobody0/out")


def test_a_full_disk_leaves_nothing_in_the_way(restorer, tmp_path):
    source = write(tmp_path / "in", {"a.png": encoded((12, 12))})
    with full_disk(100), pytest.raises(training.WorkdirError, match="write .*out: File too large"):
        restore_files(restorer, source, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    restore_files(restorer, source, tmp_path / "out")
    assert (tmp_path / "out/images/a.png").exists()
