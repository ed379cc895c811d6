"""An invariant ensemble as a system: images, counterfactuals, phases, evaluation."""

import functools
import logging
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import data
from icm_jax.data import Splits
from icm_jax.data.checks import check_classes
from icm_jax.networks.compute import Compute
from icm_jax.supervised import make_learner
from icm_jax.system import Phase, PyTree, System
from icm_jax.systems.counterfactual.imagenet import frozen as frozen_networks
from icm_jax.systems.counterfactual.imagenet.ensemble import auxiliary, evaluation, supply
from icm_jax.systems.counterfactual.imagenet.ensemble import config as rules
from icm_jax.systems.counterfactual.imagenet.ensemble.evaluation import Evaluator
from icm_jax.systems.counterfactual.imagenet.ensemble.network import InvariantEnsemble
from icm_jax.systems.counterfactual.imagenet.ensemble.steps import (
    State,
    Training,
    make_optimizer,
    step,
)
from icm_jax.systems.counterfactual.imagenet.mechanisms import make_networks
from icm_jax.systems.counterfactual.imagenet.networks.resnet import ResNet50
from icm_jax.systems.counterfactual.imagenet.weights.resnet import load_resnet50
from icm_jax.systems.counterfactual.invariance.supply import Supply

_log = logging.getLogger(__name__)


def load(config: ConfigDict) -> Splits:
    """The original images, see `icm_jax.data.load`."""
    return data.load(config.data)


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config, one a seed.

    Counterfactuals are generated within the step, and none is kept, or drawn from a file. Where no
    generator is given, that of each seed is its auxiliary system.

    Args:
      config: a validated config, see
        `icm_jax.systems.counterfactual.imagenet.ensemble.config`.
      splits: original images.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: images and counterfactuals are of other classes, or weights are damaged.
      FileNotFoundError: weights or the generator are not there.
      WorkdirError, CheckpointError: the generator's run is not finished, or damaged.
    """
    classes = check_classes(splits)
    rules.check_classes(config, classes)
    compute = Compute(config.precision, config.convolution)
    network = InvariantEnsemble(classes, config.backbone.width, compute)
    made, frozen = _find_supply(config, classes)
    learned = functools.partial(auxiliary.learned, frozen)
    training = Training(config, network, made, axis_name)
    apply = jax.jit(network.apply)
    # Compiled, since what is frozen of an auxiliary generator lies on the host.
    compiled = made._replace(make=jax.jit(made.make, static_argnums=(2, 3)))
    system = System(
        name=config.system,
        init=functools.partial(init_state, config, network, _read_backbone(config, network)),
        phases=(Phase("training", config.steps, functools.partial(step, training)),),
        data={},
        shared={
            "images": splits.train.images,
            "labels": splits.train.labels,
            "generator": jax.tree.map(np.asarray, made.arrays),
        },
        evaluate=Evaluator(config, apply, splits.test, compiled, learned),
        figures=evaluation.draw_figures,
        headline=evaluation.headline,
        learns_from=learned,
    )
    firsts = auxiliary.build(config, seeds, axis_name)
    return tuple(system._replace(auxiliary=first) for first in firsts)


def init_state(
    config: ConfigDict, network: InvariantEnsemble, backbone: PyTree | None, key: jax.Array
) -> State:
    """Heads that have learned nothing, on a backbone as it was read, or random.

    Args:
      config: of the run.
      network: the ensemble.
      backbone: `params` and `batch_stats` of it, or None.
      key: typed key `[]`.
    """
    size = config.data.crop
    variables = network.init(key, jnp.zeros((1, size, size, 3)))
    if backbone is not None:
        variables = {
            name: {**of, "backbone": jax.tree.map(jnp.array, backbone[name])}
            for name, of in variables.items()
        }
    return State(make_learner(variables, make_optimizer(config)))


def _read_backbone(config: ConfigDict, network: InvariantEnsemble) -> PyTree | None:
    """What a file has of the backbone; None where none is named."""
    file = config.backbone.weights
    if not file:
        _log.warning("backbone.weights: '' takes random weights; ImageNet's are needed for use")
        return None
    backbone = ResNet50(network.width, compute=network.compute)
    return load_resnet50(file, backbone, "backbone.weights")


def _find_supply(config: ConfigDict, classes: int) -> tuple[Supply, frozen_networks.Frozen | None]:
    """Where counterfactuals come from, and what is frozen of a generator still to be trained."""
    frozen = None
    if config.generator:
        made = supply.load(config.generator, "generator", config.truncation)
    else:
        recipe = rules.generator_config(config)
        networks = make_networks(recipe)
        frozen = frozen_networks.load(recipe, networks)
        made = supply.of_networks(networks, config.truncation)
    if made.classes_of(classes) != classes:
        raise ValueError(
            f"generator: {config.generator!r} makes {made.classes} classes, the data have "
            f"{classes}; choose one that was trained on them"
        )
    return made, frozen
