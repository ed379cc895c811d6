"""The generator, or GAN, of an invariant classifier where none is given: it is trained first."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from icm_jax import paths
from icm_jax.config import digest, to_dict
from icm_jax.data import Splits
from icm_jax.system import PyTree, System
from icm_jax.systems.counterfactual import biased, gan, generation
from icm_jax.systems.counterfactual.biased import BiasedData
from icm_jax.systems.counterfactual.gan.steps import make_gan
from icm_jax.systems.counterfactual.gan.use import FinishedGan
from icm_jax.systems.counterfactual.generation.state import make_networks
from icm_jax.systems.counterfactual.generation.use import Generator
from icm_jax.systems.counterfactual.invariance.config import GAN, generator_config, needs_generator
from icm_jax.systems.counterfactual.invariance.supply import Supply, of_gan, of_generator
from icm_jax.systems.counterfactual.weights import files, vgg16

NAME = "generator"
_WITHOUT = ("evaluation", "log", "checkpoint")  # what a generator learns does not depend on these


def build(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None
) -> list[dict[str, System]]:
    """The auxiliary systems of classifiers, by name: their generators, or none.

    Arguments and errors are as in `generation.build_seeds`.
    """
    if not needs_generator(config):
        return [{} for _ in seeds]
    kind = gan if config.method in GAN else generation
    own = generator_config(config)
    made = kind.build_seeds(own, splits, seeds, axis_name)
    return [{NAME: generator._replace(config=to_dict(own))} for generator in made]


def supply(config: ConfigDict, data: BiasedData) -> Supply:
    """Images of a generator whose variables are still to be learned: `arrays` are {}."""
    made = generator_config(config)
    if config.method in GAN:
        network = make_gan(made, data.classes, data.size).generator
        return of_gan(FinishedGan(network, {}, made.generator.latent))
    networks = make_networks(made, data.classes, data.size)
    generator = Generator(networks.mechanisms, {}, networks.latent, data.classes)
    return of_generator(generator, **config.counterfactuals)


def learned(config: ConfigDict, states: Mapping[str, PyTree]) -> dict[str, PyTree]:
    """What a classifier learns from the final state of its generator, if it has one."""
    if NAME not in states:
        return {}
    state = states[NAME]
    is_gan = config.method in GAN
    return {NAME: state.generator.parameters._asdict() if is_gan else state.average}


def digests(config: ConfigDict) -> dict[str, str]:
    """The digest of all that the generator of a config depends on, by its name among its parts.

    Raises:
      FileNotFoundError, ValueError: textures or weights are not there, or cannot be read.
    """
    if not needs_generator(config):
        return {}
    made = generator_config(config)
    return {NAME: digest_learning(made, _digests_of_files(made))}


def digest_learning(config: ConfigDict, files: Mapping[str, Any]) -> str:
    """The digest of all that what is learned depends on.

    Args:
      config: of what learns.
      files: digests of what is in those that it names.
    """
    depends = {name: config[name] for name in config if name not in _WITHOUT}
    return digest(ConfigDict(depends | {"files": files}))


def _digests_of_files(config: ConfigDict) -> dict[str, Any]:
    """Of the files of a generator's config, whose names say little of what is in them."""
    found = biased.digest_files(config.data)
    if config.get("losses", {}).get("vgg16"):
        weights = files.find(config.losses.vgg16, "recipe.losses.vgg16", vgg16.NEEDED)
        found["vgg16"] = paths.digest_file(weights)
    return found
