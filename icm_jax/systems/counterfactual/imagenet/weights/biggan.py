"""Weights of BigGAN-deep from the state dicts of `pytorch-pretrained-biggan`."""

import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from icm_jax import paths
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.imagenet.networks import biggan
from icm_jax.systems.counterfactual.imagenet.networks.statistics import TRUNCATIONS
from icm_jax.systems.counterfactual.weights import files, named, pth
from icm_jax.systems.counterfactual.weights.named import NamedArray

WEIGHTS, CONFIG = "pytorch_model.bin", "config.json"
_LEAVES = {
    ("params", "kernel"): "weight_orig",
    ("params", "bias"): "bias",
    ("params", "gamma"): "gamma",
    ("spectral", "u"): "weight_u",
    ("spectral", "v"): "weight_v",
    ("batch_stats", "mean"): "running_means",
    ("batch_stats", "var"): "running_vars",
}


def load_biggan(
    path: str | os.PathLike, module: biggan.BigGAN, field: str = "weights.biggan", prefix: str = ""
) -> PyTree:
    """The variables of a generator from a file or folder of `pytorch-pretrained-biggan`.

    Args:
      path: of a state dict (`pytorch_model.bin`, the CGN authors' `biggan256.pth`), or of a folder
        with `pytorch_model.bin` and `config.json`. The config is read where it lies beside.
      module: the generator that it is read for.
      field: what an error begins with.
      prefix: of the names to read, all others being left out: `f_shape.` takes one mechanism out
        of a checkpoint of the published CGN.

    Returns:
      `params`, `spectral` and `batch_stats` of `BigGAN`, NumPy float32.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it cannot be read, or is of another generator; the message names the array, or
        the field of the config.
    """
    file = paths.local(path, field)
    file = file / WEIGHTS if file.is_dir() else file
    needed = f"a state dict of BigGAN-deep with {module.resolution} pixels"
    found = files.find(file, field, needed)
    if (config := found.with_name(CONFIG)).is_file():
        check_config(config, module, field)
    arrays = pth.read(found, field)
    arrays = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    template = shapes(module)
    said = f"{field}: {str(file)!r}"
    network = f"BigGAN of {module.resolution} pixels and width {module.width}"
    return named.take(arrays, named_arrays(template, module), template, said, network)


def shapes(module: biggan.BigGAN) -> PyTree:
    """The shapes of a generator's variables."""
    u, y = jnp.zeros((1, module.latent)), jnp.zeros((1, module.classes))
    return jax.eval_shape(module.init, jax.random.key(0), u, y, 1.0)


def check_config(path: Path, module: biggan.BigGAN, field: str) -> None:
    """Raises ValueError if the config of `pytorch-pretrained-biggan` is of another generator."""
    said = f"{field}: {str(path)!r}"
    try:
        config = json.loads(path.read_text("utf-8"))
        given = {name: config[name] for name in _settings(module)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{said} cannot be read as a config of BigGAN-deep: {error!r}") from error
    for name, needed in _settings(module).items():
        if given[name] != needed:
            raise ValueError(f"{said}: {name!r} is {given[name]}; this generator's is {needed}")


def _settings(module: biggan.BigGAN) -> dict:
    """What a config must say of a generator."""
    return {
        "output_dim": module.resolution,
        "z_dim": module.latent,
        "class_embed_dim": module.latent,
        "channel_width": module.width,
        "num_classes": module.classes,
        "layers": [list(layer) for layer in biggan.layers(module.resolution)],
        "attention_layer_position": biggan.attention_position(module.resolution),
        "eps": 1e-4,
        "n_stats": TRUNCATIONS,
    }


def named_arrays(template: PyTree, module: biggan.BigGAN) -> list[NamedArray]:
    """All arrays of a generator by the names of `pytorch-pretrained-biggan`.

    Args:
      template: variables of `BigGAN`, or their shapes.
      module: the generator.
    """
    leaves = traverse_util.flatten_dict(template)
    return [_named_array(path, leaves, module) for path in leaves]


def _named_array(path: tuple[str, ...], leaves: PyTree, module: biggan.BigGAN) -> NamedArray:
    collection, *names, leaf = path
    layouts = {4: named.CONV, 2: named.DENSE}
    if names == ["embeddings"]:
        return NamedArray(path, "embeddings.weight", *named.DENSE)
    if names == ["bn"] and collection == "params":
        return NamedArray(path, f"generator.bn.{'weight' if leaf == 'scale' else 'bias'}")
    name = ".".join(["generator", *_theirs(names, module), _LEAVES[collection, leaf]])
    if leaf == "kernel":
        return NamedArray(path, name, *layouts[leaves[path].ndim])
    if leaf == "v":
        return NamedArray(path, name, *_vector_layout(leaves["params", *names, "kernel"].shape))
    if leaf == "gamma":
        return NamedArray(path, name, lambda a: a.reshape(()), lambda a: a.reshape(1))
    return NamedArray(path, name)


def _theirs(names: list[str], module: biggan.BigGAN) -> list[str]:
    """The names of modules in theirs, where attention has a number among the blocks."""
    attention = biggan.attention_position(module.resolution)
    first, *others = names
    if first == "attention":
        return ["layers", str(attention), *(f"snconv1x1_{name}" for name in others)]
    if first.startswith("block_"):
        number = int(first.removeprefix("block_"))
        return ["layers", str(number + (number >= attention)), *others]
    return names


def _vector_layout(kernel: tuple[int, ...]):
    """(ours, theirs) of v, whose numbers stand as those of the kernel: theirs C, h, w."""
    if len(kernel) == 2:
        return named.same, named.same
    height, width, channels, _ = kernel

    def ours(v: np.ndarray) -> np.ndarray:
        return v.reshape(channels, height, width).transpose(1, 2, 0).ravel()

    def theirs(v: np.ndarray) -> np.ndarray:
        return v.reshape(height, width, channels).transpose(2, 0, 1).ravel()

    return ours, theirs
