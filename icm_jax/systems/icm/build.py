"""Builds the systems of ICM: the competition, its oracle, and the judge alone.

The competition has two phases. Initialization: every expert learns to reproduce transformed
images. Competition: all experts score on all images of a batch, the winner of each image alone
learns from it, and the discriminator learns to tell all experts' outputs from canonical images.
The oracle is told which mechanism made an image and from what, and has one phase.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.system import Phase, System
from icm_jax.systems.icm import figures, images, judge, phases, summary
from icm_jax.systems.icm.evaluation import make_evaluate
from icm_jax.systems.icm.images import Source
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.steps import init

# (config, source, axis name) -> phases
Phases = Callable[[ConfigDict, Source, str | None], tuple[Phase, ...]]


def build_competition(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The ICM systems of a config (see `icm_jax.systems.icm.config`) on the images of `splits`.

    There is one system a seed. They share images, steps and all that is compiled. A seed decides
    how the train split is halved into canonical and transformed images, so that no image is seen
    both ways, and what is random in evaluations. The judge of restored images is a classifier of
    the canonical half, of all classes; where it would have nothing to say there is none. Of
    groups (`config.data.groups`) see `icm_jax.systems.icm.images`.

    Args:
      config: a validated config.
      splits: train and test images, all classes; `config.data.labels` restricts them here.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: labels or groups leave no image, fewer than a batch, or too few to evaluate with,
        padding is smaller than the images, or a mechanism or a network does not suit them.
    """
    return _build(config, splits, seeds, axis_name, phases.icm, figures.draw_figures, True)


def build_oracle(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The oracles of a config: expert i learns to undo mechanism i from true pairs.

    Arguments, results and errors are those of `build_competition`.
    """
    return _build(config, splits, seeds, axis_name, phases.oracle, figures.draw_restoration, False)


def build_judge(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The judges of a config, by themselves.

    Arguments and results are those of `build_competition`.

    Raises:
      ValueError: there is nothing to learn, or as `build_competition` does.
    """
    asked = judge.build(config, images.build(config, splits), splits, axis_name)
    if asked is None:
        raise ValueError(
            "classifier.learns: 'labels' says nothing about these images; choose 'canonical'"
        )
    return tuple(asked.train(seed) for seed in seeds)


def _build(
    config: ConfigDict,
    splits: Splits,
    seeds: Sequence[int],
    axis_name: str | None,
    make_phases: Phases,
    draw: Callable,
    by_score: bool,
) -> tuple[System, ...]:
    """Systems of experts; where not `by_score`, expert i restores what mechanism i made."""
    source = images.build(config, splits)
    asked = judge.build(config, source, splits, axis_name)
    example = jnp.zeros((1, *source.test.images.shape[1:]))
    evaluate = make_evaluate(make_model(config), asked, source, config, by_score=by_score)
    common = System(
        name=config.system,
        init=functools.partial(init, make_model(config), config.experts.count, example),
        phases=make_phases(config, source, axis_name),
        data={},
        shared={"images": splits.train.images},
        evaluate=evaluate,
        figures=functools.partial(draw, source.names),
        headline=summary.headline,
    )
    # Networks that do not suit the images say so here, not when a judge has learned.
    jax.eval_shape(common.init, jax.random.key(0))

    def seeded(seed: int) -> System:
        canonical, transformed = source.pools(seed)
        return common._replace(
            data={"canonical": canonical, "transformed": transformed},
            evaluate=functools.partial(evaluate, seed),
            auxiliary={"classifier": asked.train(seed)} if asked else {},
        )

    return tuple(seeded(seed) for seed in seeds)
