"""Generators of the published code (mnists/models/cgn.py) as ours, and ours as theirs."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from flax import traverse_util

from icm_jax import paths
from icm_jax.data.npz import read_all_npz
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.networks.mechanisms import START
from icm_jax.systems.counterfactual.weights import files, named, pth
from icm_jax.systems.counterfactual.weights.named import NamedArray
from icm_jax.training import reasons

_NETWORKS = {"shape": "f_shape", "foreground": "f_text1", "background": "f_text2"}
# How many batches the running statistics have seen: in their files, without use.
_COUNT = "num_batches_tracked"


def load(path: str | os.PathLike, template: PyTree, field: str) -> PyTree:
    """The variables of `Mechanisms` from a file of the authors, or of `save`.

    Args:
      path: of a `.pth` (see `pth`) or an `.npz` with the same names.
      template: the variables of the generator that it is read for, or their shapes.
      field: what an error begins with.

    Returns:
      `params` and `batch_stats` as in `template`, float32.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it cannot be read, or is of another generator; the message names the array.
    """
    suffix = _suffix(paths.local(path, field), field)
    file = files.find(path, field, "a .pth or .npz of the published code")
    read = pth.read if suffix == ".pth" else read_all_npz
    return from_authors(read(file, field), template, f"{field}: {os.fspath(path)!r}")


def save(path: str | os.PathLike, variables: PyTree, batches: int = 0) -> None:
    """Writes a generator under the authors' names, for `torch.load` and their code or for `load`.

    Args:
      path: of the file, a `.pth` or an `.npz`.
      variables: of `Mechanisms`.
      batches: how many the running statistics have seen, which their files tell.

    Raises:
      ValueError: `path` is neither, lies in no folder, or is no path on this machine.
      WorkdirError: it cannot be written.
    """
    file = paths.local(path, "output")
    suffix = _suffix(file, "output")
    if file.is_dir() or not file.parent.is_dir():
        raise ValueError(f"output: {str(file)!r} is not allowed; it must be a file in a folder")
    arrays = to_authors(variables, batches)
    with reasons(file), paths.replaced(file) as unfinished:
        if suffix == ".pth":
            pth.write(unfinished, arrays)
        else:
            with unfinished.open("wb") as content:
                np.savez(content, **arrays)


def from_authors(arrays: Mapping[str, np.ndarray], template: PyTree, said: str) -> PyTree:
    """The variables of `Mechanisms` from arrays by their names.

    Args:
      arrays: theirs. Those of numbers of batches may be missing and are left out.
      template: variables or their shapes.
      said: what to call the arrays in an error.

    Raises:
      ValueError: one is missing, unknown, of another shape or not of floats.
    """
    expected = _arrays(template)
    names = [array.name for array in expected]
    return named.take(arrays, expected, template, said, "generator", named.counters(names))


def to_authors(variables: PyTree, batches: int = 0) -> dict[str, np.ndarray]:
    """The arrays of `Mechanisms` by the authors' names, float32, in the order of their files.

    Args:
      variables: `params` and `batch_stats`.
      batches: how many the running statistics have seen; int64 beside each of them.
    """
    leaves, found = traverse_util.flatten_dict(variables), {}
    for array in _arrays(variables):
        ours = np.asarray(leaves[array.path], np.float32)
        found[array.name] = np.ascontiguousarray(array.theirs(ours))
        if array.name.endswith("running_var"):
            found[f"{array.name.rpartition('.')[0]}.{_COUNT}"] = np.array(batches, np.int64)
    return found


def _arrays(template: PyTree) -> list[NamedArray]:
    """All arrays of a generator, in the order of the authors' files."""
    found = []
    for path in traverse_util.flatten_dict(template):
        if path[1] == "labels":
            found.append(((-1,), NamedArray(path, "label_emb.weight")))
            continue
        _, network, layer, leaf = path
        kind, number = layer.split("_")
        convolutions = sum(name.startswith("Conv") for name in template["params"][network])
        place = 0 if kind == "Dense" else _place(network, int(number), convolutions)
        place += kind == "BatchNorm"
        name = f"{_NETWORKS[network]}.{place}.{named.LEAVES[leaf]}"
        order = (list(_NETWORKS).index(network), place, list(named.LEAVES).index(leaf))
        layout = _LAYOUTS.get((kind, leaf), ())
        found.append((order, NamedArray(path, name, *layout)))
    return [array for _, array in sorted(found, key=lambda each: each[0])]


def _place(network: str, number: int, convolutions: int) -> int:
    """The index of a convolution in the `torch.nn.Sequential` of a mechanism.

    After the dense layer come, of a shape, reshaping and normalisation, then upsampling,
    convolution, batch norm, leaky ReLU and normalisation in turn. Of a texture it is reshaping,
    then upsampling, convolution, batch norm and leaky ReLU; the last convolution has no upsampling.
    """
    if network == "shape":
        return 4 + 5 * number
    return 3 + 4 * number - (number == convolutions - 1)


def _suffix(file: Path, field: str) -> str:
    if file.suffix not in (".pth", ".npz"):
        raise ValueError(f"{field}: {str(file)!r} is not allowed; it must be a .pth or an .npz")
    return file.suffix


def _channels_last(rows: np.ndarray) -> np.ndarray:
    """`[C * 8 * 8, ...]` as `[8 * 8 * C, ...]`: outputs of the dense layer, which are an image."""
    images = rows.reshape(-1, START, START, *rows.shape[1:])
    return np.moveaxis(images, 0, 2).reshape(rows.shape)


def _channels_first(rows: np.ndarray) -> np.ndarray:
    """`[8 * 8 * C, ...]` as `[C * 8 * 8, ...]`."""
    images = rows.reshape(START, START, -1, *rows.shape[1:])
    return np.moveaxis(images, 2, 0).reshape(rows.shape)


# (ours, theirs) of arrays that are not the same. Theirs have outputs first.
_LAYOUTS = {
    ("Dense", "kernel"): (lambda a: _channels_last(a).T, lambda a: _channels_first(a.T)),
    ("Dense", "bias"): (_channels_last, _channels_first),
    ("Conv", "kernel"): named.CONV,
}
