"""Independent causal mechanisms: experts compete for transformed images (Parascandolo 2018).

Two phases. Initialization: every expert learns to reproduce transformed images. Competition: all
experts score on all images of a batch, the winner of each image alone learns from it, and the
discriminator learns to tell all experts' outputs from canonical images. The oracle
(`config.system`) is told which mechanism made an image and from what, and has one phase.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.system import System
from icm_jax.systems import (
    icm_evaluation,
    icm_figures,
    icm_images,
    icm_judge,
    icm_phases,
    icm_summary,
)
from icm_jax.systems.icm_model import make_model
from icm_jax.systems.icm_steps import init


def build(config: ConfigDict, splits: Splits, axis_name: str | None = None) -> System:
    """The ICM system of a config and its seed; see `build_seeds`."""
    (system,) = build_seeds(config, splits, [config.seed], axis_name)
    return system


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The ICM systems of a config (see `icm_jax.config.icm`) on the images of `splits`.

    There is one system a seed. They share images, steps and all that is compiled. A seed decides
    how the train split is halved into canonical and transformed images, so that no image is seen
    both ways, and what is random in evaluations. The judge of restored images is a classifier of
    the canonical half, of all classes; where it would have nothing to say there is none. Of
    groups (`config.data.groups`) see `icm_jax.systems.icm_images`.

    Args:
      config: a validated config.
      splits: train and test images, all classes; `config.data.labels` restricts them here.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: if there is nothing to learn for a classifier asked for, labels or groups leave
        no image, fewer than a batch, or too few to evaluate with, padding is smaller than the
        images, or a mechanism or a network does not suit them.
    """
    source = icm_images.build(config, splits)
    judge = icm_judge.build(config, source, splits, axis_name)
    if config.system == "classification":
        if judge is None:
            raise ValueError(
                "classifier.learns: 'labels' says nothing about these images; choose 'canonical'"
            )
        return tuple(judge.train(seed) for seed in seeds)
    oracle = config.system == "oracle"
    phases = icm_phases.oracle if oracle else icm_phases.icm
    example = jnp.zeros((1, *source.test.images.shape[1:]))
    evaluate = icm_evaluation.make_evaluate(
        make_model(config), judge, source, config, by_score=not oracle
    )
    draw = icm_figures.draw_restoration if oracle else icm_figures.draw_figures
    shared = System(
        name=config.system,
        init=functools.partial(init, make_model(config), config.experts.count, example),
        phases=phases(config, source, axis_name),
        data={"images": splits.train.images},
        evaluate=evaluate,
        figures=functools.partial(draw, source.names),
        headline=icm_summary.headline,
    )
    # Networks that do not suit the images say so here, not when a judge has learned.
    jax.eval_shape(shared.init, jax.random.key(0))

    def seeded(seed: int) -> System:
        canonical, transformed = source.pools(seed)
        return shared._replace(
            data=shared.data | {"canonical": canonical, "transformed": transformed},
            evaluate=functools.partial(evaluate, seed),
            auxiliary={"classifier": judge.train(seed)} if judge else {},
        )

    return tuple(seeded(seed) for seed in seeds)


def describe(summary: Mapping[str, Any]) -> str:
    """What a run came to, in a line."""
    if summary["system"] == "classification":
        return f"{summary['accuracy']['test']:.1%} of held-out images classified as they should be"
    found, accuracy = summary["specialization"], summary["accuracy"]
    said = f"{found['identified']} of {len(found['mechanisms'])} mechanisms identified"
    shares = accuracy or summary["called_canonical"]
    if shares is None:
        return said
    kinds = ", ".join(f"{s:.1%} {kind}" for kind, s in icm_summary.overall(shares).items())
    return f"{said}; {'accuracy' if accuracy else 'called canonical:'} {kinds}"
