"""A generator as a system: data, networks, phases, evaluation."""

import functools
from collections.abc import Sequence

from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.system import Phase, System
from icm_jax.systems.counterfactual import biased
from icm_jax.systems.counterfactual.generate import make_generate
from icm_jax.systems.counterfactual.generation import evaluation, figures, history
from icm_jax.systems.counterfactual.generation.evaluation import Evaluator
from icm_jax.systems.counterfactual.generation.state import init_state, make_networks
from icm_jax.systems.counterfactual.generation.steps import Training, step
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.weights import vgg16


def load(config: ConfigDict) -> Splits:
    """The images that a data set is made of, see `biased.load`."""
    return biased.load(config.data)


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.counterfactual.generation.config`), one a seed.

    A seed decides upon the colours, too.

    Args:
      config: a validated config.
      splits: of which the data set is made.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the data set cannot be made of these images, or VGG16's weights are damaged.
      FileNotFoundError: textures, or weights that a loss needs, are not there.
    """
    blocks = vgg.blocks_needed(config.losses.perceptual)
    weights = vgg16.load(config.losses.vgg16, blocks)
    made = [biased.make(config.data, splits, seed) for seed in seeds]
    networks = make_networks(config, made[0].classes, made[0].size, axis_name)
    outside = make_networks(config, made[0].classes, made[0].size).mechanisms
    training = Training(config, networks, made[0], axis_name)
    evaluator = Evaluator(config, made[0], make_generate(outside))
    phase = Phase(
        "training",
        config.steps,
        functools.partial(step, training),
        observe=functools.partial(history.observe, config, evaluator.show_parts),
    )
    empty = history.empty(config, made[0].classes, made[0].size)
    shared_data, own_data = biased.given(made)
    shared = System(
        name=config.system,
        init=functools.partial(init_state, networks, made[0].size, empty),
        phases=(phase,),
        data={},
        shared={"vgg": weights, **shared_data},
        evaluate=evaluator,
        figures=figures.draw,
        headline=evaluation.headline,
    )
    return tuple(shared._replace(data=own) for own in own_data)
