"""The networks that never learn: read from files, or random ones to try things out with."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import paths
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.imagenet.mechanisms import Networks
from icm_jax.systems.counterfactual.imagenet.weights.biggan import load_biggan
from icm_jax.systems.counterfactual.imagenet.weights.u2net import load_u2net
from icm_jax.systems.counterfactual.imagenet.weights.vgg16 import load_vgg16
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.weights import vgg16

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
    of = config.weights
    key, u2net_key = jax.random.split(jax.random.key(of.seed))
    noise = jnp.zeros((1, networks.latent)), jnp.zeros((1, networks.classes))
    images = jnp.zeros((1, networks.size, networks.size, 3))
    read = (
        ("biggan", load_biggan, lambda: networks.biggan.init(key, *noise, 1.0)),
        ("u2net", load_u2net, lambda: networks.u2net.init(u2net_key, images)),
    )
    arrays, origins = {}, {}
    for name, load_file, init in read:
        arrays[name], origins[name] = _read(name, of[name], of.seed, load_file, init)
    needed = max(vgg.blocks_needed(config.losses[loss]) for loss in ("perceptual", "texture"))
    if needed:
        arrays["vgg"] = _load_vgg(of.vgg16, needed)
    return Frozen(arrays, origins)


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


def _read(
    name: str, file: str, seed: int, load_file: Callable, init: Callable[[], PyTree]
) -> tuple[PyTree, str]:
    """The variables of a network, on the host, and where they are from."""
    template = jax.eval_shape(init)
    if not file:
        _log.warning(
            "weights.%s: '' takes random weights (weights.seed %d): everything runs, and nothing "
            "of use is learned",
            name,
            seed,
        )
        return jax.device_get(jax.jit(init)()), f"random from seed: {seed}"
    path = paths.local(file, f"weights.{name}")
    variables = load_file(path, template, f"weights.{name}")
    return variables, f"{path}, SHA-256: {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _load_vgg(file: str, blocks: int) -> vgg.Weights:
    if file and not file.endswith(".npz"):
        return load_vgg16(file, blocks, "weights.vgg16")
    without = "losses.perceptual and losses.texture"
    return vgg16.load(file, blocks, "weights.vgg16", without)
