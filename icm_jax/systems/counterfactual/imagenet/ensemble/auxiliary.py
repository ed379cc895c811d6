"""The generator of an ensemble where none is given: it is trained first."""

from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from icm_jax import paths
from icm_jax.config import to_dict
from icm_jax.system import PyTree, System
from icm_jax.systems.counterfactual.imagenet import frozen as frozen_networks
from icm_jax.systems.counterfactual.imagenet import generation
from icm_jax.systems.counterfactual.imagenet.ensemble.config import generator_config
from icm_jax.systems.counterfactual.invariance.auxiliary import NAME, digest_learning

_FILES = ("biggan", "u2net", "vgg16")


def build(
    config: ConfigDict, seeds: Sequence[int], axis_name: str | None
) -> list[dict[str, System]]:
    """The auxiliary systems of ensembles, by name: their generators, or none.

    Arguments and errors are as in `generation.build_seeds`.
    """
    if config.generator:
        return [{} for _ in seeds]
    own = generator_config(config)
    made = generation.build_seeds(own, {}, seeds, axis_name)
    return [{NAME: generator._replace(config=to_dict(own))} for generator in made]


def learned(
    frozen: frozen_networks.Frozen | None, states: Mapping[str, PyTree]
) -> dict[str, PyTree]:
    """What an ensemble's counterfactuals are made of, by the final state of its generator."""
    if NAME not in states:
        return {}
    return {NAME: {"params": states[NAME].params, "frozen": frozen.of_mechanisms}}


def digests(config: ConfigDict) -> dict[str, str]:
    """The digest of all that the generator of a config depends on, by its name among its parts.

    Raises:
      FileNotFoundError: a file of weights is not there.
    """
    if config.generator:
        return {}
    made = generator_config(config)
    files = {name: _digest(made.weights[name], name) for name in _FILES if made.weights[name]}
    return {NAME: digest_learning(made, files)}


def _digest(file: str, name: str) -> str:
    """Of the file of weights that `recipe.weights` names, or the name of what is in a package."""
    if file == frozen_networks.PACKAGE:
        return file
    return paths.digest_file(frozen_networks.find_weights(file, f"recipe.weights.{name}"))
