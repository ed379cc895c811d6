"""The generator of an ensemble where none is given: it is trained first."""

import hashlib
from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from icm_jax import paths
from icm_jax.config import digest
from icm_jax.system import PyTree, System
from icm_jax.systems.counterfactual.imagenet import frozen as frozen_networks
from icm_jax.systems.counterfactual.imagenet import generation
from icm_jax.systems.counterfactual.imagenet.ensemble.config import generator_config

NAME = "generator"
_WITHOUT = ("evaluation", "log", "checkpoint")  # what a generator learns does not depend on these
_FILES = ("biggan", "u2net", "vgg16")


def build(
    config: ConfigDict, seeds: Sequence[int], axis_name: str | None
) -> list[dict[str, System]]:
    """The auxiliary systems of ensembles, by name: their generators, or none.

    Arguments and errors are as in `generation.build_seeds`.
    """
    if config.generator:
        return [{} for _ in seeds]
    made = generation.build_seeds(generator_config(config), {}, seeds, axis_name)
    return [{NAME: generator} for generator in made]


def learned(
    frozen: frozen_networks.Frozen | None, states: Mapping[str, PyTree]
) -> dict[str, PyTree]:
    """What an ensemble's counterfactuals are made of, by the final state of its generator."""
    if NAME not in states:
        return {}
    arrays = {name: frozen.arrays[name] for name in ("biggan", "u2net")}
    return {NAME: {"params": states[NAME].params, "frozen": arrays}}


def digests(config: ConfigDict) -> dict[str, str]:
    """The digest of all that the generator of a config depends on, by its name among its parts.

    Raises:
      FileNotFoundError: a file of weights is not there.
    """
    if config.generator:
        return {}
    made = generator_config(config)
    depends = {name: made[name] for name in made if name not in _WITHOUT}
    files = {name: _digest(made.weights[name], name) for name in _FILES if made.weights[name]}
    return {NAME: digest(ConfigDict(depends | {"files": files}))}


def _digest(file: str, name: str) -> str:
    path = paths.local(file, f"recipe.weights.{name}")
    return hashlib.sha256(path.read_bytes()).hexdigest()
