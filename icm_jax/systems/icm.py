"""Independent causal mechanisms: experts compete for transformed images (Parascandolo 2018).

Two phases. Initialization: every expert learns to reproduce transformed images. Competition: all
experts score on all images of a batch, the winner of each image alone learns from it, and the
discriminator learns to tell all experts' outputs from canonical images.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax import collectives, mechanisms, restarts
from icm_jax.data import Dataset, Pool, Splits, draw, halve, pad, restrict
from icm_jax.system import Phase, System
from icm_jax.systems import classification, icm_evaluation
from icm_jax.systems.icm_model import make_model
from icm_jax.systems.icm_steps import (
    competition_step,
    decayed,
    init,
    initialization_step,
    restart_step,
)

# (data, key) -> images [B, H, W, C], a batch of all devices
Draw = Callable[[Mapping[str, jax.Array], jax.Array], jax.Array]


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
    example = jnp.zeros((1, *test.images.shape[1:]))
    evaluate = icm_evaluation.make_evaluate(
        make_model(config), classify, test.images, test.labels, bank, names, shape, config
    )
    shared = System(
        name="icm",
        init=functools.partial(init, make_model(config), config.experts.count, example),
        phases=_phases(config, *_draws(config, bank, prepare), axis_name),
        data={"images": splits.train.images},
        evaluate=evaluate,
        figures=functools.partial(icm_evaluation.draw_figures, names),
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


def _evaluated(config: ConfigDict, splits: Splits) -> Dataset:
    """The test images that experts are evaluated on; refuses what cannot work."""
    test = restrict(splits, config.data.labels).test
    evaluated = min(config.evaluation.images, len(test.labels))
    if evaluated < len(config.mechanisms):
        raise ValueError(
            f"evaluation.images: {evaluated} test images are fewer than the "
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
    halves = halve(train, seed, config.data.labels)
    for name, half in zip(("canonical", "transformed"), halves, strict=True):
        if config.batch_size > half.count:
            raise ValueError(
                f"batch_size: {config.batch_size} is more than the {half.count} {name} images"
            )
    return halves


def _draws(
    config: ConfigDict,
    bank: tuple[mechanisms.Mechanism, ...],
    prepare: Callable[[jax.Array], jax.Array],
) -> tuple[Draw, Draw]:
    """How a batch of canonical and one of transformed images is drawn inside a step."""

    def draw_canonical(data, key):
        return prepare(draw(key, data["images"], data["canonical"], config.batch_size))

    def draw_transformed(data, key):
        image_key, index_key, mechanism_key = jax.random.split(key, 3)
        images = draw(image_key, data["images"], data["transformed"], config.batch_size)
        images = prepare(images)
        index = jax.random.randint(index_key, (config.batch_size,), 0, len(bank))
        return mechanisms.apply(bank, mechanism_key, images, index)

    return draw_canonical, draw_transformed


def _phases(
    config: ConfigDict, draw_canonical: Draw, draw_transformed: Draw, axis_name: str | None
) -> tuple[Phase, Phase]:
    model, momentum = make_model(config, axis_name), config.experts.momentum
    settings = restarts.Settings(**config.competition.restart)

    def initialize(state, data, key):
        images = collectives.share(draw_transformed(data, key), axis_name)
        return initialization_step(model, state, images, momentum, axis_name)

    def compete(state, data, key):
        canonical_key, transformed_key, restart_key = jax.random.split(key, 3)
        transformed = draw_transformed(data, transformed_key)
        canonical = draw_canonical(data, canonical_key)
        shares = collectives.share((transformed, canonical), axis_name)
        some = config.competition.reference
        reference = transformed[:some] if some else None
        rate = decayed(state.steps, config.competition.steps, config.competition.decay)
        state, metrics = competition_step(
            model, state, *shares, reference, momentum, rate, axis_name
        )
        if settings.every:
            state, metrics["restarts"] = restart_step(state, metrics["wins"], restart_key, settings)
        return state, metrics

    initialization = config.initialization
    stop_below = ("reproduction_error", initialization.threshold)
    return (
        Phase("initialization", initialization.steps, initialize, stop_below),
        Phase("competition", config.competition.steps, compete),
    )
