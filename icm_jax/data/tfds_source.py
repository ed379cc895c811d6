"""Any image data set of TensorFlow Datasets (TFDS) by name, read without TensorFlow.

Import this only where it is used: TFDS takes most of a second to import.
"""

import hashlib
import importlib.util
import os
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from icm_jax import environment
from icm_jax.data import bundled
from icm_jax.data.images import resize, stack
from icm_jax.data.types import Dataset, Splits

_FORMAT = "array_record"  # the one that is read without TensorFlow


def load(name: str, data_dir: str = "", size: int = 0) -> Splits:
    """Loads a TFDS data set, which TensorFlow, where it is installed, downloads and prepares.

    Images come from the feature `image`, labels from `label` (all 0 if that is no integer), and
    every other number or text of an example is an attribute. The splits are `train` and `test`, or
    `validation` where there is no `test`.

    Args:
      name: as in https://www.tensorflow.org/datasets/catalog, `name/config:version` if need be.
      data_dir: where data sets are prepared; '' for TFDS's own choice, ~/tensorflow_datasets.
      size: images are resized to this many pixels a side; 0 leaves them as they are.

    Returns:
      uint8 `[N, H, W, C]` images in the order of publication where TFDS knows it.

    Raises:
      ValueError: if there is no such data set, it is prepared in another format than array_record,
        or it is not one of uint8 images in two splits.
      FileNotFoundError: if the data set is not prepared and cannot be.
    """
    # TFDS logs advice on OpenCV and half-prepared folders.
    with environment.logged_from("error"):
        sources = _open(name, data_dir)
        test = "test" if "test" in sources else "validation"
        if "train" not in sources or test not in sources:
            raise ValueError(
                f"data.name: {name!r} has the splits {sorted(sources)}; needed are 'train' and "
                "one of 'test', 'validation'"
            )
        return Splits(*(_read(sources[split], name, split, size) for split in ("train", test)))


def _open(name: str, data_dir: str) -> Mapping[str, Any]:
    """The data sources of all splits, by name of the split."""
    data_dir = os.path.expanduser(data_dir)
    folder = data_dir or "~/tensorflow_datasets"
    try:
        sources = tfds.data_source(
            name,
            data_dir=data_dir or None,
            download=_tensorflow_is_installed(),
            builder_kwargs={"file_format": _FORMAT},
        )
        if not sources:
            raise FileNotFoundError("TensorFlow, which prepares it, is not installed")
        return sources
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"data.name: {name!r} is unknown to TFDS and not prepared in {folder}; choose one of "
            "https://www.tensorflow.org/datasets/catalog"
        ) from error
    except Exception as error:
        other_format = _prepared_format(name, data_dir)
        if other_format not in (None, _FORMAT):
            # Over another format TFDS does not build, and what is there may be needed.
            beside = os.path.join(os.path.expanduser(folder), _FORMAT)
            raise ValueError(
                f"data.name: {name!r} is prepared in {folder} as {other_format}, which only "
                f"TensorFlow reads; run {_command(name, beside)} and use "
                f"--config.data.dir={shlex.quote(beside)}"
            ) from error
        other = "bundled" if name in bundled.NAMES else "folder"
        # Whatever it is, from no network to no room, the way on is the same.
        raise FileNotFoundError(
            f"data.name: {name!r} is not prepared in {folder} and cannot be "
            f"({_first_line(error)}); run {_command(name, data_dir)}, or use "
            f"--config.data.source={other}"
        ) from error


def _command(name: str, data_dir: str) -> str:
    """What prepares a data set, for a shell. `tfds build` needs more packages than TensorFlow."""
    where = f"data_dir={data_dir!r}, " if data_dir else ""
    code = (
        f"import tensorflow_datasets as tfds; tfds.builder({name!r}, {where}"
        f"file_format={_FORMAT!r}).download_and_prepare()"
    )
    # In double quotes, which are easier to read, where nothing in it means something there.
    quoted = shlex.quote(code) if set(code) & set('"$`\\!') else f'"{code}"'
    return f"`pip install tensorflow && python -c {quoted}`"


def _prepared_format(name: str, data_dir: str) -> str | None:
    """The format that a data set is prepared in; None where it is not prepared."""
    try:
        builder = tfds.builder(name, data_dir=data_dir or None)
        return builder.info.file_format.value if builder.is_prepared() else None
    except Exception:
        # Whatever it is, it is in the error that is being explained.
        return None


def _read(source: Any, name: str, split: str, size: int) -> Dataset:
    features = dict(source.dataset_info.features.items())
    image = features.get("image")
    if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
        raise ValueError(
            f"data.name: {name!r} has the features {sorted(features)}; needed is an 'image' of "
            "uint8 pixels"
        )
    # One call for all examples: reading them singly takes three times as long.
    order = published_order(source, split).tolist()
    try:
        examples = [_flatten(example) for example in source.__getitems__(order)]
    except Exception as error:
        raise ValueError(
            f"data.name: the split {split!r} of {name!r} is damaged ({_first_line(error)}); "
            "delete its folder and prepare it again"
        ) from error
    if not examples:
        raise ValueError(f"data.name: {name!r} has no image in the split {split!r}")
    names = [f"image {i} of {split}" for i in range(len(examples))]
    images = stack([resize(example.pop("image"), size) for example in examples], names)
    labels = np.zeros(len(examples), np.int32)
    if _is_integer(examples[0].get("label")):
        labels = np.array([example.pop("label") for example in examples], np.int32)
    attributes = {
        key: np.array([example[key] for example in examples])
        for key, value in examples[0].items()
        if np.ndim(value) == 0
    }
    return Dataset(images, labels, attributes)


def published_order(source: Any, split: str) -> np.ndarray:
    """Where in `source` each example stands, in the order of publication: integers `[N]`.

    TFDS stores examples in the order of a hash of their keys, MD5 salted with the name of the
    split. The keys of MNIST and its like are 0 to N - 1, so the hashes tell which example is
    where. Other keys are unknown: then this is one arbitrary but fixed order in place of another.
    """
    count = len(source)
    if source.dataset_info.disable_shuffling:
        return np.arange(count)

    def stored_by(key: int) -> bytes:
        return hashlib.md5(f"{split}{key}".encode(), usedforsecurity=False).digest()

    return np.argsort(sorted(range(count), key=stored_by))


def _flatten(example: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"attributes": {"Smiling": 1}}` -> `{"attributes/Smiling": 1}`, and bytes to text."""
    result = {}
    for key, value in example.items():
        if isinstance(value, Mapping):
            result |= _flatten(value, f"{prefix}{key}/")
        elif isinstance(value, bytes):
            result[prefix + key] = value.decode(errors="replace")
        else:
            result[prefix + key] = value
    return result


def _is_integer(value: Any) -> bool:
    return np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.integer)


def _tensorflow_is_installed() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
