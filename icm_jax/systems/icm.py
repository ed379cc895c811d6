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

from icm_jax import mechanisms
from icm_jax.data import Dataset, Pool, Splits, halve, pad, restrict
from icm_jax.system import System
from icm_jax.systems import classification, icm_evaluation, icm_phases
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
    the canonical half, of all classes.

    Args:
      config: a validated config.
      splits: train and test images, all classes; `config.data.labels` restricts them here.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: if labels leave no image, fewer than a batch, or too few to evaluate with, or if
        padding is smaller than the images.
    """
    judge = classification.build(config.classifier, *splits, config.data.pad, axis_name)
    classify = classification.predictor(config.classifier, classification.class_count(splits.train))
    test = _evaluated(config, splits)
    shape = test.images.shape[1:]
    prepare = functools.partial(pad, size=config.data.pad) if config.data.pad else lambda x: x
    test = test._replace(images=prepare(test.images))
    bank = tuple(mechanisms.build(spec) for spec in config.mechanisms)
    names = tuple(mechanisms.label(spec) for spec in config.mechanisms)
    oracle = config.system == "oracle"
    phases = icm_phases.oracle if oracle else icm_phases.icm
    example = jnp.zeros((1, *test.images.shape[1:]))
    evaluate = icm_evaluation.make_evaluate(
        make_model(config),
        classify,
        test.images,
        test.labels,
        bank,
        names,
        shape,
        config,
        by_score=not oracle,
    )
    draw = icm_evaluation.draw_restoration if oracle else icm_evaluation.draw_figures
    shared = System(
        name=config.system,
        init=functools.partial(init, make_model(config), config.experts.count, example),
        phases=phases(config, bank, prepare, axis_name),
        data={"images": splits.train.images},
        evaluate=evaluate,
        figures=functools.partial(draw, names),
        headline=icm_evaluation.headline,
    )

    def seeded(seed: int) -> System:
        canonical, transformed = _compete_for(config, splits.train, seed)
        # The judge learns from all classes, whichever compete.
        learned = {"pool": halve(splits.train, seed)[0]}
        return shared._replace(
            data=shared.data | {"canonical": canonical, "transformed": transformed},
            evaluate=functools.partial(evaluate, seed),
            auxiliary={"classifier": judge._replace(data=judge.data | learned)},
        )

    return tuple(seeded(seed) for seed in seeds)


def describe(summary: Mapping[str, Any]) -> str:
    """What a run came to, in a line."""
    found, accuracy = summary["specialization"], summary["accuracy"]
    return (
        f"{found['identified']} of {len(found['mechanisms'])} mechanisms identified; accuracy "
        f"{accuracy['original']:.1%} original, {accuracy['transformed']:.1%} transformed, "
        f"{accuracy['restored']:.1%} restored"
    )


def _evaluated(config: ConfigDict, splits: Splits) -> Dataset:
    """The test images that experts are evaluated on; refuses what cannot work."""
    test = restrict(splits, config.data.labels).test
    fields = config.evaluation.images, config.evaluation.last or len(test.labels)
    evaluated = min(*fields, len(test.labels))
    if evaluated < len(config.mechanisms):
        name = "images" if fields[0] == evaluated else "last"
        raise ValueError(
            f"evaluation.{name}: {evaluated} test images are fewer than the "
            f"{len(config.mechanisms)} mechanisms"
        )
    side = max(test.images.shape[1:3])
    if 0 < config.data.pad < side:
        raise ValueError(
            f"data.pad: {config.data.pad} is less than the images' {side} pixels; 0 pads nothing"
        )
    return test


def _compete_for(config: ConfigDict, train: Dataset, seed: int) -> tuple[Pool, Pool]:
    """Canonical and transformed images of a seed; refuses fewer than a batch."""
    canonical, transformed = halve(train, seed, config.data.labels)
    if config.data.canonical:
        # The half is in random order: its first images are any.
        known = min(config.data.canonical, int(canonical.count))
        canonical = canonical._replace(count=np.int32(known))
    halves = canonical, transformed
    for name, half in zip(("canonical", "transformed"), halves, strict=True):
        if config.batch_size > half.count:
            raise ValueError(
                f"batch_size: {config.batch_size} is more than the {half.count} {name} images"
            )
    return halves
