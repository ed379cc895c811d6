"""The config of an invariant ensemble: its fields, their rules, the tiny and the published."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from icm_jax.schema import (
    SHARED,
    Field,
    Fields,
    Schema,
    any_text,
    at_least,
    fraction,
    intervals,
    positive,
    share,
    with_shared,
)
from icm_jax.systems.counterfactual.imagenet import classes
from icm_jax.systems.counterfactual.imagenet.generation import config as generation
from icm_jax.systems.counterfactual.invariance.config import follow_run

_FIELDS: Fields = {
    "data": {
        "source": SHARED["data"]["source"]._replace(default="folder"),
        "size": Field(256, at_least(8), "pixels a side to which images are resized"),
        "crop": Field(
            224,
            at_least(8),
            "pixels a side that are learned from, a random part, or evaluated, the middle",
        ),
    },
    "generator": Field(
        "",
        any_text(),
        "folder of a finished run of configs/counterfactual_imagenet.py, or counterfactuals.npz of "
        "--mode=generate; '': one that is trained first, by the fields of recipe",
    ),
    "truncation": Field(0.5, share(), "of the generator's noise"),
    "recipe": generation.RECIPE_FIELDS,
    "backbone": {
        "width": Field(64, at_least(1), "channels of ResNet-50's first layer; 64 of public ones"),
        "weights": Field(
            "",
            any_text(),
            "file of ResNet-50's weights, as torchvision has them; '': random ones, whose batch "
            "norms learn no statistics",
        ),
    },
    "batch_size": Field(256, at_least(1), "original images of a step, and as many counterfactuals"),
    "steps": Field(225_000, at_least(0), "steps; 45 epochs of 1.28 million images as published"),
    "optimizer": {
        "learning_rate": Field(
            1e-3, positive(), "of stochastic gradient descent; a tenth after each third"
        ),
        "momentum": Field(0.9, fraction(), "momentum of SGD"),
        "weight_decay": Field(1e-4, at_least(0), "added to gradients, times the weights"),
    },
    "evaluation": {
        "every": Field(5000, at_least(1), "steps between evaluations"),
        "images": Field(1000, at_least(1), "test images in quick evaluations"),
        "counterfactuals": Field(200, at_least(1), "counterfactuals that heads are examined with"),
        "cue_conflict": Field(
            "",
            any_text(),
            "folder or zip of cue-conflict images, such as cat/cat7-bottle2.png; '': none",
        ),
        "in9": Field(
            "",
            any_text(),
            "folder or zip of ImageNet-9 with mixed_same and mixed_rand in it; '': none",
        ),
    },
    **intervals(100, 5000),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    if config.data.crop > config.data.size:
        raise ValueError(
            f"data.crop: {config.data.crop} is not allowed with data.size {config.data.size}; it "
            "must be at most that"
        )
    if not config.truncation:
        raise ValueError("truncation: 0 is not allowed; it must be above 0")
    if not config.generator:
        try:
            generation.check_recipe(config.recipe)
        except ValueError as error:
            raise ValueError(f"recipe.{error}") from error


def check_classes(config: ConfigDict, known: int) -> None:
    """Refuses images of evaluation whose classes are ImageNet's, for an ensemble of others.

    Raises:
      ValueError: there are not 1000 `known` classes, and there are such images.
    """
    for name in ("cue_conflict", "in9"):
        if config.evaluation[name] and known != classes.IMAGENET:
            raise ValueError(
                f"evaluation.{name}: {config.evaluation[name]!r} is not allowed with {known} "
                f"classes; it needs the {classes.IMAGENET} of ImageNet, or must be ''"
            )


def generator_config(config: ConfigDict) -> ConfigDict:
    """The config of the generator that is trained before the ensemble of a config."""
    made = generation.SCHEMA.defaults()
    made.update(config.recipe)
    made.evaluation.classes = tuple(range(min(config.recipe.model.classes, 12)))
    follow_run(made, config)
    return made


SCHEMA = Schema(with_shared("invariant_ensemble", _FIELDS), _check)

_LEARNING = ("batch_size", "steps", "model", "weights", "losses", "collage", "optimizer")
_TINY: Mapping[str, Any] = {
    # XLA's own: those of few channels are long programs by default on a CPU.
    "convolution": "grouped",
    "data": {"source": "bundled", "name": "mnist", "size": 64, "crop": 64},
    "recipe": {
        name: fields for name, fields in generation.recipe("tiny").items() if name in _LEARNING
    },
    "truncation": 1.0,
    "backbone": {"width": 8},
    "batch_size": 8,
    "steps": 200,
    "optimizer": {"learning_rate": 1e-2},
    "evaluation": {"every": 100, "images": 200, "counterfactuals": 40},
    "log": {"every": 20},
    "checkpoint": {"every": 100},
}


def recipe(choice: str) -> Mapping[str, Any]:
    """The fields that 'tiny' or 'paper' chooses; raises as `generation.config.recipe`."""
    return generation.recipe(choice, _TINY)
