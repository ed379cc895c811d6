"""The config of a conditional GAN: its fields and their rules."""

from ml_collections import ConfigDict

from icm_jax.schema import (
    Field,
    Fields,
    Schema,
    at_least,
    fraction,
    intervals,
    positive,
    share,
    with_shared,
)
from icm_jax.systems.counterfactual.biased import DATA_FIELDS, SETS, check_data, data_of
from icm_jax.systems.counterfactual.generation.config import DISCRIMINATOR_FIELDS

# What a GAN is and how it learns, whatever it learns from.
RECIPE_FIELDS: Fields = {
    "batch_size": Field(16, at_least(2), "images of a step, on all devices"),
    "steps": Field(50_000, at_least(0), "steps; those of a reproduction"),
    "generator": {
        "latent": Field(32, at_least(1), "numbers of noise"),
        "width": Field(64, at_least(1), "channels before the last convolution"),
    },
    "discriminator": {
        **DISCRIMINATOR_FIELDS,
        "kind": DISCRIMINATOR_FIELDS["kind"]._replace(default="linear"),
        "width": DISCRIMINATOR_FIELDS["width"]._replace(default=512),
    },
    "optimizer": {
        "generator": Field(2e-4, positive(), "learning rate of Adam"),
        "discriminator": Field(2e-4, positive(), "likewise"),
        "momentum": Field(0.5, fraction(), "first decay rate of Adam"),
        "decay": Field(0.0, share(), "the rates fall to 0 over this last fraction of the steps"),
    },
}
_FIELDS: Fields = {
    "data": DATA_FIELDS,
    **RECIPE_FIELDS,
    "evaluation": {
        "every": Field(5000, at_least(1), "steps between evaluations"),
        "images": Field(100, at_least(2), "images of each class that are looked at"),
    },
    **intervals(100, 5000),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    check_data(config.data)


SCHEMA = Schema(with_shared("conditional_gan", _FIELDS), _check)


def recipe(choice: str) -> dict:
    """The fields that a data set chooses: steps, convolutions where textures are to be told.

    Raises:
      ValueError: there is no such data set.
    """
    if choice not in SETS:
        raise ValueError(f"config: {choice!r} is not allowed; it must be one of {', '.join(SETS)}")
    fields: dict = {"data": data_of(choice)}
    if choice in ("double_colored", "wildlife"):
        fields["steps"] = 40_000
    if choice in ("wildlife", "folder"):
        fields["discriminator"] = {"kind": "conv", "width": 32}
    return fields
