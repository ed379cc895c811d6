"""A classifier that should ignore what told the class in training, as a system."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.networks.compute import Compute
from icm_jax.system import Phase, System
from icm_jax.systems.counterfactual import biased
from icm_jax.systems.counterfactual.biased import BiasedData
from icm_jax.systems.counterfactual.generation.use import check_suits
from icm_jax.systems.counterfactual.invariance import auxiliary, evaluation
from icm_jax.systems.counterfactual.invariance.config import (
    GAN,
    SUPPLIED,
    TOLD,
    needs_generator,
)
from icm_jax.systems.counterfactual.invariance.drawing import Drawing, draw
from icm_jax.systems.counterfactual.invariance.methods import lntl, plain, told
from icm_jax.systems.counterfactual.invariance.state import Parts
from icm_jax.systems.counterfactual.invariance.supply import Supply
from icm_jax.systems.counterfactual.invariance.supply import load as load_supply
from icm_jax.systems.counterfactual.networks.classifier import PublishedClassifier


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.counterfactual.invariance.config`), one a seed.

    Counterfactuals are generated within the step, and none is kept, or drawn from a file. Where no
    generator is given, that of each seed is its auxiliary system.

    Args:
      config: a validated config.
      splits: of which the data set is made.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the data set cannot be made of these images, or the generator does not suit it.
      FileNotFoundError: textures or the generator are not there.
      WorkdirError, CheckpointError: the generator's run is not finished, or damaged.
    """
    made = [biased.make(config.data, splits, seed) for seed in seeds]
    supply = _find_supply(config, made[0])
    compute = Compute(config.precision, config.convolution)
    network, outside = (
        PublishedClassifier(made[0].classes, axis, compute) for axis in (axis_name, None)
    )
    drawing = Drawing(*_counts(config), made[0], supply, axis_name)
    example = jnp.zeros((1, made[0].size, made[0].size, 3))
    drawn = functools.partial(draw, drawing)
    groups = told.count_groups(config, made[0]) if config.method in TOLD else 1
    parts = Parts(config, network, outside, drawn, example, groups, axis_name)
    method = lntl if config.method == "lntl" else plain
    shared_data, own_data = biased.given(made)
    shared = System(
        name=config.system,
        init=functools.partial(method.init, parts),
        phases=(Phase("training", config.steps, method.make_step(parts)),),
        data={},
        evaluate=functools.partial(evaluation.evaluate, config, jax.jit(outside.apply)),
        figures=evaluation.draw_figures,
        headline=evaluation.headline,
        shared={"generator": supply.arrays if supply else {}, **shared_data},
        learns_from=functools.partial(auxiliary.learned, config),
    )
    firsts = auxiliary.build(config, splits, seeds, axis_name)
    return tuple(
        shared._replace(
            data=own | _groups(config, of),
            evaluate=functools.partial(shared.evaluate, of),
            auxiliary=first,
        )
        for own, of, first in zip(own_data, made, firsts, strict=True)
    )


def _groups(config: ConfigDict, data: BiasedData) -> dict[str, Any]:
    """The groups of training images, given to methods alone that are told of them."""
    return {"groups": told.make_groups(config, data)} if config.method in TOLD else {}


def _find_supply(config: ConfigDict, data: BiasedData) -> Supply | None:
    """Where images come from that are no originals; refuses a generator of other data."""
    if config.method not in SUPPLIED:
        return None
    if needs_generator(config):
        return auxiliary.supply(config, data)
    supply = load_supply(
        config.generator, "generator", gan=config.method in GAN, **config.counterfactuals
    )
    classes = supply.classes_of(data.classes)
    check_suits(config.generator, classes, supply.size, data, supply.names)
    return supply


def _counts(config: ConfigDict) -> tuple[int, int]:
    """How many originals and how many others make a batch."""
    size = config.batch_size
    if config.method not in SUPPLIED:
        return size, 0
    return (size // 2, -(-size // 2)) if config.method in ("both", "both_gan") else (0, size)
