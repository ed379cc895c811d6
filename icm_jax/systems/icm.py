"""Independent causal mechanisms: experts compete for transformed images (Parascandolo 2018).

Two phases. Initialization: every expert learns to reproduce transformed images. Competition: all
experts score on all images of a batch, the winner of each image alone learns from it, and the
discriminator learns to tell all experts' outputs from canonical images.
"""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax import collectives, mechanisms, restarts
from icm_jax.data import Dataset, Splits, draw, halve, pad, restrict
from icm_jax.system import Phase, System
from icm_jax.systems import classification, icm_evaluation
from icm_jax.systems.icm_steps import (
    competition_step,
    decayed,
    init,
    initialization_step,
    make_model,
    restart_step,
)

# (data, key) -> images [B, H, W, C], a batch of all devices
Draw = Callable[[Mapping[str, jax.Array], jax.Array], jax.Array]


def build(config: ConfigDict, splits: Splits, axis_name: str | None = None) -> System:
    """The ICM system of a config (see `icm_jax.config.icm`) on the images of `splits`.

    The train split is halved by seed into canonical and transformed images, so no image is seen
    both ways. The judge of restored images is a classifier of the canonical half, of all classes.

    Args:
      config: a validated config.
      splits: train and test images, all classes; `config.data.labels` restricts them here.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: if labels leave no image, fewer than a batch, or too few to evaluate with, or if
        padding is smaller than the images.
    """
    halves = halve(splits.train, config.seed)
    judge = classification.build(
        config.classifier, halves[0], splits.test, config.data.pad, axis_name
    )
    classify = classification.predictor(config.classifier, classification.class_count(halves[0]))
    canonical, transformed, test = _compete_for(config, *halves, splits.test)
    prepare = functools.partial(pad, size=config.data.pad) if config.data.pad else lambda x: x
    test = test._replace(images=prepare(test.images))
    bank = tuple(mechanisms.build(spec) for spec in config.mechanisms)
    names = tuple(mechanisms.label(spec) for spec in config.mechanisms)
    example = jnp.zeros((1, *test.images.shape[1:]))
    return System(
        name="icm",
        init=functools.partial(init, make_model(config), config.experts.count, example),
        phases=_phases(config, *_draws(config, bank, prepare), axis_name),
        data={"canonical": canonical.images, "transformed": transformed.images},
        evaluate=icm_evaluation.make_evaluate(
            make_model(config), classify, test.images, test.labels, bank, names, config
        ),
        figures=functools.partial(icm_evaluation.draw_figures, names),
        auxiliary={"classifier": judge},
    )


def _compete_for(
    config: ConfigDict, canonical: Dataset, transformed: Dataset, test: Dataset
) -> tuple[Dataset, Dataset, Dataset]:
    """The three, restricted to the labels that compete; refuses what cannot work."""
    canonical, kept = restrict(Splits(canonical, test), config.data.labels)
    transformed, _ = restrict(Splits(transformed, test), config.data.labels)
    for name, half in (("canonical", canonical), ("transformed", transformed)):
        if config.batch_size > len(half.labels):
            raise ValueError(
                f"batch_size: {config.batch_size} is more than the {len(half.labels)} {name} images"
            )
    evaluated = min(config.evaluation.images, len(kept.labels))
    if evaluated < len(config.mechanisms):
        raise ValueError(
            f"evaluation.images: {evaluated} test images are fewer than the "
            f"{len(config.mechanisms)} mechanisms"
        )
    side = max(kept.images.shape[1:3])
    if 0 < config.data.pad < side:
        raise ValueError(
            f"data.pad: {config.data.pad} is less than the images' {side} pixels; 0 pads nothing"
        )
    return canonical, transformed, kept


def _draws(
    config: ConfigDict,
    bank: tuple[mechanisms.Mechanism, ...],
    prepare: Callable[[jax.Array], jax.Array],
) -> tuple[Draw, Draw]:
    """How a batch of canonical and one of transformed images is drawn inside a step."""

    def draw_canonical(data, key):
        return prepare(draw(key, data["canonical"], config.batch_size))

    def draw_transformed(data, key):
        image_key, index_key, mechanism_key = jax.random.split(key, 3)
        images = prepare(draw(image_key, data["transformed"], config.batch_size))
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
        reference = transformed[: config.competition.reference]
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
