"""Builds the systems of ICM: the competition, its oracle, and the judge alone.

The competition has two phases. Initialization: every expert learns to reproduce transformed
images. Competition: all experts score on all images of a batch, the winner of each image alone
learns from it, and the discriminator learns to tell all experts' outputs from canonical images.
The oracle is told which mechanism made an image and from what, and has one phase.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.system import Evaluation, Phase, System
from icm_jax.systems.icm.evaluation import Evaluator
from icm_jax.systems.icm.figures import draw_figures, draw_restoration
from icm_jax.systems.icm.images import Images, build_images
from icm_jax.systems.icm.judge import make_judge
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.phases import make_oracle_phases, make_phases
from icm_jax.systems.icm.state import init
from icm_jax.systems.icm.summary import headline


class _Kind(NamedTuple):
    """What the competition and its oracle do each in its own way.

    Attributes:
      make_phases: `(config, images, axis name) -> phases`.
      draw: `(names, evaluation, records) -> name -> figure`.
      by_score: whether the expert that scores best restores an image; else expert i restores what
        mechanism i made.
    """

    make_phases: Callable[[ConfigDict, Images, str | None], tuple[Phase, ...]]
    draw: Callable[[Sequence[str], Evaluation, list[dict]], dict[str, Figure]]
    by_score: bool


_COMPETITION = _Kind(make_phases, draw_figures, by_score=True)
_ORACLE = _Kind(make_oracle_phases, draw_restoration, by_score=False)


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
    return _build(_COMPETITION, config, splits, seeds, axis_name)


def build_oracle(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The oracles of a config: expert i learns to undo mechanism i from true pairs.

    Arguments, results and errors are those of `build_competition`.
    """
    return _build(_ORACLE, config, splits, seeds, axis_name)


def build_judge(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The judges of a config, by themselves.

    Arguments and results are those of `build_competition`.

    Raises:
      ValueError: there is nothing to learn, or as `build_competition` does.
    """
    judge = make_judge(config, build_images(config, splits), splits, axis_name)
    if judge is None:
        raise ValueError(
            "classifier.learns: 'labels' says nothing about these images; choose 'canonical'"
        )
    return tuple(judge.train(seed) for seed in seeds)


def _build(
    kind: _Kind,
    config: ConfigDict,
    splits: Splits,
    seeds: Sequence[int],
    axis_name: str | None,
) -> tuple[System, ...]:
    """Systems of experts."""
    images = build_images(config, splits)
    judge = make_judge(config, images, splits, axis_name)
    model = make_model(config)
    example = jnp.zeros((1, *images.test.images.shape[1:]))
    evaluate = Evaluator(model, judge, images, config, kind.by_score)
    common = System(
        name=config.system,
        init=functools.partial(init, model, config.experts.count, example),
        phases=kind.make_phases(config, images, axis_name),
        data={},
        shared={"images": splits.train.images},
        evaluate=evaluate,
        figures=functools.partial(kind.draw, images.names),
        headline=headline,
    )
    # Networks that do not suit the images say so here, not when a judge has learned.
    jax.eval_shape(common.init, jax.random.key(0))

    def seeded(seed: int) -> System:
        canonical, transformed = images.pools(seed)
        return common._replace(
            data={"canonical": canonical, "transformed": transformed},
            evaluate=functools.partial(evaluate, seed),
            auxiliary={"classifier": judge.train(seed)} if judge else {},
        )

    return tuple(seeded(seed) for seed in seeds)
