"""Labels and channels of all images out of a file, checked before anything is done with them."""

import os
import zipfile

import numpy as np

from icm_jax import paths
from icm_jax.data.image_files import check_is_no_pointer
from icm_jax.data.types import Splits

VALIDATED, TESTED = 0, 1
UNKNOWN = -1  # a given label that nobody gave
_ARRAYS = ("train_given_label", "train_channel", "test_channel", "val_given_label", "test_split")
_REMEDY = f"it must be an .npz, as numpy.savez writes it, of {', '.join(_ARRAYS)}"


def load_assignment(path: str | os.PathLike, splits: Splits, classes: int) -> dict[str, np.ndarray]:
    """Reads labels and channels of all images of `splits`, in their order: int32.

    Args:
      path: an `.npz` with `train_given_label` and `train_channel` `[train]`, `test_channel`,
        `val_given_label` (-1 where there is none) and `test_split` (0 validation, 1 test)
        `[test]`, all of integers; `~` is the home.
      splits: the images.
      classes: labels and channels are 0 to `classes` - 1.

    Raises:
      ValueError: the file is no whole `.npz`, or an array is missing, of another length or type,
        or has a number that is not allowed.
      FileNotFoundError: there is no such file.
    """
    found = _read(path)
    return {name: _checked(name, found[name], path, splits, classes) for name in _ARRAYS}


def _read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    file = paths.local(path, "data.assignment")
    if file.is_dir():
        raise FileNotFoundError(f"data.assignment: {str(path)!r} is a folder; {_REMEDY}")
    if not file.is_file():
        raise FileNotFoundError(f"data.assignment: {str(path)!r} does not exist; {_REMEDY}")
    check_is_no_pointer(file, f"data.assignment: {str(path)!r}")
    if not zipfile.is_zipfile(file):
        raise ValueError(
            f"data.assignment: {str(path)!r} is no .npz file, or not all of one; {_REMEDY}"
        )
    try:
        with np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in _ARRAYS if name not in arrays]
            found = {name: arrays[name] for name in _ARRAYS if name in arrays}
    except Exception as error:
        # BadZipFile, zlib.error, ValueError for objects, EOFError, PermissionError, ...
        reason = " ".join(str(error).split())
        raise ValueError(
            f"data.assignment: {str(path)!r} cannot be read ({reason}); {_REMEDY}"
        ) from error
    if missing:
        raise ValueError(f"data.assignment: {str(path)!r} lacks {', '.join(missing)}; {_REMEDY}")
    return found


def _checked(
    name: str, array: np.ndarray, path: str | os.PathLike, splits: Splits, classes: int
) -> np.ndarray:
    part = "train" if name.startswith("train") else "test"
    images = len(getattr(splits, part).labels)
    where = f"data.assignment: {name} in {str(path)!r}"
    if np.shape(array) != (images,):
        raise ValueError(
            f"{where} has the shape {list(np.shape(array))}; the {part} split needs [{images}], "
            "one number an image"
        )
    if array.dtype.kind not in "biu":
        raise ValueError(
            f"{where} is of {array.dtype}; it must be of integers, which .astype(int) makes"
        )
    if name == "test_split":
        lowest, highest, meaning = VALIDATED, TESTED, "0 for validation or 1 to test on"
    else:
        lowest, highest = UNKNOWN if name == "val_given_label" else 0, classes - 1
        meaning = f"{lowest} to {highest}, counted from 0"
        meaning += " (-1: none)" if lowest == UNKNOWN else ""
    wrong = np.flatnonzero((array < lowest) | (array > highest))
    if len(wrong):
        raise ValueError(f"{where} is {array[wrong[0]]} for image {wrong[0]}; it must be {meaning}")
    return array.astype(np.int32)
