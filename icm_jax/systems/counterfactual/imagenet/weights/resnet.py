"""Weights of ResNet-50 from torchvision's files."""

import os
import re

import jax
import jax.numpy as jnp
from flax import traverse_util

from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.imagenet.networks.resnet import ResNet50
from icm_jax.systems.counterfactual.weights import files, named, pth
from icm_jax.systems.counterfactual.weights.named import NamedArray

_HEAD = ("fc.weight", "fc.bias")


def load_resnet50(
    path: str | os.PathLike, module: ResNet50, field: str = "weights.resnet50"
) -> PyTree:
    """The variables of a ResNet-50 without its head.

    Args:
      path: of a state dict of torchvision, such as `resnet50-0676ba61.pth`, whose head is left out.
      module: the network that it is read for.
      field: what an error begins with.

    Returns:
      `params` and `batch_stats` of `ResNet50`, NumPy float32.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it cannot be read, or is of another network; the message names the array.
    """
    found = files.find(path, field, "torchvision's state dict of ResNet-50")
    arrays = pth.read(found, field)
    template = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    expected = named_arrays(template)
    unused = named.counters([array.name for array in expected]).union(_HEAD)
    said = f"{field}: {os.fspath(path)!r}"
    return named.take(arrays, expected, template, said, "ResNet-50", unused)


def named_arrays(template: PyTree) -> list[NamedArray]:
    """All arrays of a network whose layers have the names of PyTorch's, by these.

    Args:
      template: variables, or their shapes. `layer1_0` is `layer1.0` in theirs, and `downsample_0`
        is `downsample.0`.
    """
    leaves = traverse_util.flatten_dict(template)
    return [
        NamedArray(
            path,
            re.sub(r"_(\d+)\.", r".\1.", f"{'.'.join(path[1:-1])}.{named.LEAVES[path[-1]]}"),
            *(named.CONV if path[-1] == "kernel" else ()),
        )
        for path in leaves
    ]
