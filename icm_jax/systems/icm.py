"""Independent causal mechanisms: experts compete for transformed images (Parascandolo 2018).

Two phases. Initialization: every expert learns to reproduce transformed images. Competition: all
experts score on all images of a batch, the winner of each image alone learns from it, and the
discriminator learns to tell all experts' outputs from canonical images. The oracle
(`config.system`) is told which mechanism made an image and from what, and has one phase.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Splits, halve
from icm_jax.system import System
from icm_jax.systems import classification, icm_evaluation, icm_images, icm_phases
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
      ValueError: if labels or groups leave no image, fewer than a batch, or too few to evaluate
        with, if padding is smaller than the images, or a mechanism does not suit them.
    """
    source = icm_images.build(config, splits)
    judged = _is_judged(source, splits)
    classify = None
    if judged:
        judge = classification.build(config.classifier, *splits, config.data.pad, axis_name)
        classes = classification.class_count(splits.train)
        classify = classification.predictor(config.classifier, classes)
    oracle = config.system == "oracle"
    phases = icm_phases.oracle if oracle else icm_phases.icm
    example = jnp.zeros((1, *source.test.images.shape[1:]))
    evaluate = icm_evaluation.make_evaluate(
        make_model(config), classify, source, config, by_score=not oracle
    )
    draw = icm_evaluation.draw_restoration if oracle else icm_evaluation.draw_figures
    shared = System(
        name=config.system,
        init=functools.partial(init, make_model(config), config.experts.count, example),
        phases=phases(config, source, axis_name),
        data={"images": splits.train.images},
        evaluate=evaluate,
        figures=functools.partial(draw, source.names),
        headline=icm_evaluation.headline,
    )

    def seeded(seed: int) -> System:
        canonical, transformed = source.pools(seed)
        auxiliary = {}
        if judged:
            # The judge learns from all classes, whichever compete.
            learned = {"pool": halve(splits.train, seed)[0]}
            auxiliary["classifier"] = judge._replace(data=judge.data | learned)
        return shared._replace(
            data=shared.data | {"canonical": canonical, "transformed": transformed},
            evaluate=functools.partial(evaluate, seed),
            auxiliary=auxiliary,
        )

    return tuple(seeded(seed) for seed in seeds)


def describe(summary: Mapping[str, Any]) -> str:
    """What a run came to, in a line."""
    found, accuracy = summary["specialization"], summary["accuracy"]
    said = f"{found['identified']} of {len(found['mechanisms'])} mechanisms identified"
    if accuracy is None:
        return said
    kinds = ", ".join(
        f"{accuracy[kind]:.1%} {kind}" for kind in ("original", "transformed", "restored")
    )
    return f"{said}; accuracy {kinds}"


def _is_judged(source: icm_images.Source, splits: Splits) -> bool:
    """Whether a classifier can say what restored images show.

    Not where images have no original, nor of classes that it does not learn (people who are in
    the test split alone), nor where there is one class.
    """
    learned, asked = (np.unique(split.labels) for split in splits)
    return source.bank is not None and len(learned) > 1 and bool(np.isin(asked, learned).all())
