"""From images and what is known of them to a data set in two splits."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from icm_jax.data.split import held_out, set_apart
from icm_jax.data.types import Dataset, Splits

# Of the people: there are few in some data sets, and with a tenth too few to test on.
PEOPLE_FRACTION = 0.2


def to_splits(images: np.ndarray, attributes: Mapping[str, np.ndarray], label: str = "") -> Splits:
    """Splits faces, always in the same way and mixed order whatever the seed.

    Where there is an attribute `person`, a fifth of the people are in the test split and nobody is
    in both. Otherwise a tenth of the files is, by their names without folders.

    Args:
      images: uint8 `[N, H, W, C]`.
      attributes: name -> `[N]`, with `path` or `person` among them.
      label: the attribute whose values are numbered, in sorted order; '' makes all labels 0.

    Raises:
      ValueError: if all images are of one person or one file.
    """
    labels = np.zeros(len(images), np.int32)
    if label:
        labels = np.unique(attributes[label], return_inverse=True)[1].astype(np.int32)
    if "person" in attributes:
        is_test = held_out(attributes["person"].tolist(), PEOPLE_FRACTION)
    else:
        is_test = held_out(_names(attributes["path"]))
    if is_test.all():
        raise ValueError(
            f"data.dir: {len(images)} image(s) of one person or file cannot be split; at least 2 "
            "are needed, one to train on and one to test on"
        )
    dataset = Dataset(images, labels, attributes)
    return set_apart(dataset, is_test)


def _names(paths: Sequence[str]) -> list[str]:
    """The names of files; one name for those that differ by suffix, which may be one picture."""
    first = {}
    names = [PurePosixPath(path).name for path in paths]
    return [first.setdefault(PurePosixPath(name).stem, name) for name in names]
