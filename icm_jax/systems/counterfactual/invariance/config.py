"""The config of an invariant classifier: its fields and their rules."""

from typing import Any

from ml_collections import ConfigDict

from icm_jax.schema import (
    Field,
    Fields,
    Schema,
    any_text,
    at_least,
    intervals,
    one_of,
    positive,
    share,
    with_shared,
)
from icm_jax.systems.counterfactual.biased import DATA_FIELDS, OWN, SETS, check_data
from icm_jax.systems.counterfactual.gan import config as gan
from icm_jax.systems.counterfactual.generation import config as generation

# What each method learns from, as a story tells it.
METHODS = {
    "original": "original images",
    "counterfactual": "counterfactuals",
    "both": "original images and counterfactuals",
    "gan": "images of a conditional GAN",
    "both_gan": "original images and images of a conditional GAN",
    "lntl": "original images, with features that should not tell the colour",
    "irm": "original images, with a penalty on what differs between environments",
    "balanced": "original images, as many of each label in each colour or texture",
    "group_dro": "original images, the worst of the groups of label and colour or texture weighing "
    "most",
}
GAN = ("gan", "both_gan")  # methods that take images of a conditional GAN
COUNTERFACTUAL = ("counterfactual", "both")  # methods that take counterfactuals
SUPPLIED = (*COUNTERFACTUAL, *GAN)  # methods that take images of a generator
TOLD = ("irm", "balanced", "group_dro")  # methods that are told of groups
_OF_LNTL = ("lntl",)

_FIELDS: Fields = {
    "data": DATA_FIELDS,
    "method": Field(
        "original",
        one_of(METHODS),
        "what is learned from: original images, counterfactuals, or half of both; images of a GAN "
        "in place of counterfactuals; or originals by a method that should ignore the colour "
        "(icm_jax.systems.counterfactual.invariance.methods)",
    ),
    "generator": Field(
        "",
        any_text(),
        "folder of a finished run of a generator of the same classes, a .pth or .npz of the "
        "published code, or counterfactuals.npz of --mode=generate; for gan and both_gan, folder "
        "of a run of configs/conditional_gan.py; '': one that is trained first, by the fields of "
        "recipe, or gan_recipe",
        of=SUPPLIED,
    ),
    "counterfactuals": {
        "count": Field(
            0,
            at_least(0),
            "how many different ones a generator makes; 0: each is another, however many are used",
            of=COUNTERFACTUAL,
        ),
        "per_shape": Field(
            1, at_least(1), "how many of these have one shape, in other textures", of=COUNTERFACTUAL
        ),
    },
    "recipe": generation.RECIPE_FIELDS,
    "gan_recipe": gan.RECIPE_FIELDS,
    "batch_size": Field(64, at_least(2), "images of a step, on all devices"),
    "steps": Field(7810, at_least(0), "steps of training; ten epochs of 50,000 as published"),
    "optimizer": {
        "learning_rate": Field(1.0, positive(), "learning rate of Adadelta; lntl has another"),
        "factor": Field(0.7, share(), "by which it falls after each tenth of the steps"),
    },
    "irm": {
        "penalty": Field(
            10.0, at_least(0), "weight of what differs between environments", of=("irm",)
        ),
        "after": Field(781, at_least(0), "steps at first, in which that weight is 1", of=("irm",)),
    },
    "group_dro": {
        "rate": Field(0.05, at_least(0), "step size of the groups' weights", of=("group_dro",))
    },
    "lntl": {
        "learning_rate": Field(
            0.01,
            positive(),
            "of stochastic gradient descent, a tenth after 40 and again after 80 % of the steps",
            of=_OF_LNTL,
        ),
        "entropy": Field(
            0.01,
            at_least(0),
            "weight of how much in doubt predictors of the colour are",
            of=_OF_LNTL,
        ),
        "reversal": Field(
            0.1, at_least(0), "factor on the gradient that is turned round", of=_OF_LNTL
        ),
    },
    "evaluation": {
        "every": Field(781, at_least(1), "steps between evaluations"),
        "images": Field(1000, at_least(1), "test images in quick evaluations"),
    },
    **intervals(100, 781),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    check_data(config.data)
    if config.data.set == OWN and config.method in TOLD:
        raise ValueError(
            f"method: {config.method!r} is not allowed with data.set {OWN!r}, of whose images "
            "neither colour nor environment is known; it must be another"
        )
    if config.counterfactuals.per_shape > 1 and not config.counterfactuals.count:
        raise ValueError(
            f"counterfactuals.per_shape: {config.counterfactuals.per_shape} is not allowed with "
            "counterfactuals.count 0; it must be 1"
        )
    if needs_generator(config):
        recipe, schema = _recipe(config)
        try:
            schema.check(generator_config(config))
        except ValueError as error:
            raise ValueError(f"{recipe}.{error}") from error


def needs_generator(config: ConfigDict) -> bool:
    """Whether a generator is to be trained before the classifier."""
    return config.method in SUPPLIED and not config.generator


def _recipe(config: ConfigDict) -> tuple[str, Schema]:
    """The group of fields by which its generator is trained, and all fields of that."""
    if config.method in GAN:
        return "gan_recipe", gan.SCHEMA
    return "recipe", generation.SCHEMA


def generator_config(config: ConfigDict) -> ConfigDict:
    """The config of the generator that is trained before the classifier of a config."""
    recipe, schema = _recipe(config)
    made = schema.defaults()
    made.update(config[recipe])
    made.data.update(config.data)
    follow_run(made, config)
    return made


def follow_run(made: ConfigDict, config: ConfigDict) -> None:
    """Sets the fields of a generator that are those of the run in which it is trained first."""
    for name in ("seed", "replicas", "precision", "convolution", "log", "checkpoint"):
        made[name] = config[name]
    made.evaluation.every = config.evaluation.every


SCHEMA = Schema(with_shared("invariant_classifier", _FIELDS), _check)


def set_and_method(choice: str) -> dict[str, Any]:
    """The fields that an argument like 'wildlife,both', 'wildlife' or 'both' chooses.

    Of a data set, its recipes of generators too.

    Raises:
      ValueError: a part of it is neither a data set nor a method, or one too many of either.
    """
    names = [name for name in choice.split(",") if name]
    chosen: dict[str, Any] = {}
    if names and names[0] in SETS:
        name = names.pop(0)
        chosen = {"recipe": generation.recipe(name), "gan_recipe": gan.recipe(name)}
        chosen["data"] = [recipe.pop("data") for recipe in chosen.values()][0]
    if names and names[0] in METHODS:
        chosen["method"] = names.pop(0)
    if names:
        raise ValueError(
            f"config: {choice!r} is not allowed; it must be one data set ({', '.join(SETS)}), one "
            f"method ({', '.join(METHODS)}), or first the one and then the other"
        )
    return chosen
