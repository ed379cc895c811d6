"""Data sets whose colours or textures tell the class in training and nothing in the test."""

import hashlib

from ml_collections import ConfigDict

from icm_jax import data, paths
from icm_jax.data import Splits
from icm_jax.data.image_files import image_files
from icm_jax.systems.counterfactual.biased import colored, double_colored, own, wildlife
from icm_jax.systems.counterfactual.biased.digits import environments_of
from icm_jax.systems.counterfactual.biased.settings import (
    DATA_FIELDS,
    OWN,
    SETS,
    check_data,
    data_of,
)
from icm_jax.systems.counterfactual.biased.types import (
    BiasedData,
    Split,
    given,
    take_images,
)

__all__ = [
    "DATA_FIELDS",
    "OWN",
    "SETS",
    "BiasedData",
    "Split",
    "check_data",
    "data_of",
    "digest_files",
    "environments_of",
    "given",
    "load",
    "make",
    "take_images",
]

_MAKERS = {
    "colored": colored.make,
    "double_colored": double_colored.make,
    "wildlife": wildlife.make,
    OWN: own.make,
}


def load(settings: ConfigDict) -> Splits:
    """Loads the images that a set is made of, see `icm_jax.data.load`.

    Digits keep the size that they have, but for drawings that are made like digits: sets of digits
    have their own way to grow.

    Args:
      settings: `config.data`.

    Raises:
      ValueError: a field has a value that is not allowed, or the data are damaged.
      FileNotFoundError: the data are not there.
    """
    if settings.set == OWN or settings.box:
        return data.load(settings)
    return data.load(ConfigDict({**settings, "size": 0}))


def make(settings: ConfigDict, splits: Splits, seed: int) -> BiasedData:
    """Makes the data set that `settings.set` names.

    Args:
      settings: `config.data`, see `DATA_FIELDS`.
      splits: as `load` gives them.
      seed: of colours and of whose they are.

    Raises:
      ValueError: images or textures do not fit.
      FileNotFoundError: `settings.textures` names no folder.
    """
    return _MAKERS[settings.set](settings, splits, seed)


def digest_files(settings: ConfigDict) -> dict[str, str]:
    """Digests of what a set is made of and its settings only name: `images`, and `textures`.

    Args:
      settings: `config.data`.

    Raises:
      FileNotFoundError, ValueError: textures are not there, or cannot be read.
    """
    found = {"images": paths.digest_listing(settings.dir, "data.dir")}
    if settings.textures:
        textures = hashlib.sha256()
        for path, content in image_files(settings.textures, "data.textures"):
            textures.update(f"{path}:{len(content)}:".encode() + content)
        found["textures"] = textures.hexdigest()
    return found
