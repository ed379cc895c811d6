"""The config of the face detector: its fields and their rules."""

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
    is_share,
    one_of,
    positive,
    share,
    switch,
    tuple_of,
    with_shared,
)
from icm_jax.systems.risk.worlds import RATES, SHARES, WORLDS

SCORES = ("", "density", "epistemic", "both", "group")
DENSITIES = ("", "histogram", "neighbours")

# What a method changes in the defaults; `erm`, `histogram_only` and `aleatoric` do nothing about
# what they know.
METHODS: dict[str, dict[str, Any]] = {
    "erm": {},
    "histogram": {"model": {"density": "histogram"}, "resampling": {"by": "density"}},
    "density": {"resampling": {"by": "density"}},
    "epistemic": {"resampling": {"by": "epistemic"}},
    "both": {"resampling": {"by": "both"}},
    "oracle": {"resampling": {"by": "group"}},
    "group_dro": {"resampling": {"by": "group"}, "group_dro": {"rate": 0.05}},
    "histogram_only": {"model": {"density": "histogram"}},
    "aleatoric": {"model": {"aleatoric": True}},
    "clean": {"model": {"aleatoric": True}, "cleaning": {"share": 0.1}},
}


_SHARES = tuple_of("shares from 0 to 1", is_share)

_DATA = {
    "name": SHARED["data"]["name"]._replace(default="orl"),
    "size": Field(
        32,
        ("a multiple of 32", lambda size: size > 0 and size % 32 == 0),
        "pixels a side of all images; 64 in the lab",
    ),
    "non_faces": Field(
        "bundled",
        any_text(),
        "what is no face: bundled: crops of pictures in wheels; else an .npz with images, or a "
        "folder or zip of them",
    ),
    "crops": Field(150, at_least(1), "crops of each bundled picture without faces"),
    "quality": Field(
        75, ("from 0 to 95", lambda q: 0 <= q <= 95), "of JPEG, for all images alike; 0: none"
    ),
}

_WORLD = {
    "name": Field(
        "conflict", one_of(WORLDS), "what is done to the images (icm_jax.systems.risk.worlds)"
    ),
    "mechanism": Field("invert", any_text(), "mechanism of the rare faces", of=("conflict",)),
    "share": Field(0.02, share(), "share of the faces that it is applied to", of=("conflict",)),
    "non_face_share": Field(
        0.5, share(), "share of the non-faces that it is applied to", of=("conflict",)
    ),
    "shares": Field(SHARES, _SHARES, "shares of the six groups, permuted by seed", of=("density",)),
    "rates": Field(RATES, _SHARES, "share of wrong labels in each group", of=("noise",)),
}

_MODEL = {
    "members": Field(1, at_least(1), "networks of an ensemble; 1: none"),
    "dropout": Field(0.1, fraction(), "share of what enters a layer that is dropped"),
    "passes": Field(10, at_least(1), "passes with dropout in a prediction"),
    "aleatoric": Field(False, switch(), "whether a head says how noisy logits are (risk.mve)"),
    "latent": Field(32, at_least(0), "latents of the autoencoder on the features; 0: none"),
    "weight": Field(
        0.03,
        at_least(0),
        "of the autoencoder's loss, which learns faces alone, beside the detector's",
    ),
    "beta": Field(0.1, at_least(0), "of the divergence in the autoencoder's loss"),
    "lab": Field(
        False, switch(), "whether the autoencoder has Capsa's loss and ReLU on its last layer"
    ),
    "density": Field(
        "neighbours", one_of(DENSITIES), "how common a face is: by the nearest, by histograms"
    ),
    "neighbours": Field(10, at_least(1), "neighbours that the density is of"),
    "bins": Field(10, at_least(2), "bins of each latent's histogram", of=("histogram",)),
    "bank": Field(6000, at_least(1), "faces that density remembers"),
}

_FIELDS: Fields = {
    "data": _DATA,
    "world": _WORLD,
    "model": _MODEL,
    "batch_size": Field(32, at_least(2), "images of a step, on all devices; half of them faces"),
    "steps": Field(1000, at_least(0), "steps of training"),
    "optimizer": {
        "learning_rate": Field(2e-3, positive(), "learning rate of Adam; 5e-4 in the lab"),
        "decay": Field(0.5, share(), "the rate falls to 0 over this last fraction of the steps"),
    },
    "resampling": {
        "by": Field(
            "",
            one_of(SCORES),
            "what makes a face be drawn more often: how rare or how uncertain it is, or (which "
            "knows the answer) its group; '': nothing",
        ),
        "power": Field(
            0.2,
            share(),
            "faces are drawn by their density to minus this; densities of many latents differ by "
            "more than those of groups do",
        ),
        "most": Field(
            50.0, at_least(1), "how much more often than the median face one can be drawn"
        ),
    },
    "group_dro": {
        "rate": Field(0.0, at_least(0), "step size of the groups' weights; 0: all weigh alike")
    },
    "cleaning": {
        "share": Field(
            0.0,
            fraction(),
            "share of the training images, the most uncertain by their aleatoric risk, without "
            "which training begins again; 0: none",
        )
    },
    "evaluation": {
        "every": Field(250, at_least(1), "steps between evaluations, and between new weights")
    },
    **intervals(50, 500),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    model, by = config.model, config.resampling.by
    if config.batch_size % 2:
        raise ValueError(f"batch_size: {config.batch_size} is not allowed; it must be even")
    if by in ("density", "both") and not model.density:
        raise ValueError(f"model.density: '' is not allowed; resampling.by {by!r} needs one")
    draws = model.dropout and model.passes > 1
    for name, off in (("box", 0), ("invert", False), ("thicken", 0)):
        if config.data[name] != off:
            raise ValueError(
                f"data.{name}: {config.data[name]!r} is not allowed; faces are taken as they are, "
                f"with {off!r}"
            )
    if by in ("epistemic", "both") and model.members == 1 and not draws:
        raise ValueError(
            f"resampling.by: {by!r} is not allowed; it needs model.dropout with several "
            "model.passes, or several model.members"
        )
    if by == "group" and config.cleaning.share:
        raise ValueError(
            f"cleaning.share: {config.cleaning.share} is not allowed with resampling.by 'group', "
            "whose weights it would replace; set it to 0"
        )
    if model.neighbours > model.bank:
        raise ValueError(
            f"model.neighbours: {model.neighbours} is not allowed; model.bank holds {model.bank}"
        )


SCHEMA = Schema(with_shared("risk_faces", _FIELDS), _check)


def world_and_method(choice: str) -> dict[str, Any]:
    """The fields that an argument like 'density,oracle', 'density' or 'oracle' chooses.

    A name that is both is a world where it stands first and a method where it stands second.

    Raises:
      ValueError: a part of it is neither a world nor a method, or one too many of either.
    """
    names = [name for name in choice.split(",") if name]
    world = names.pop(0) if names and names[0] in WORLDS else None
    method = names.pop(0) if names and names[0] in METHODS else "erm"
    if names:
        raise ValueError(
            f"config: {choice!r} is not allowed; it must be one world of {', '.join(WORLDS)} and "
            f"then one method of {', '.join(METHODS)}"
        )
    fields = {key: dict(value) for key, value in METHODS[method].items()}
    return {**fields, **({"world": {"name": world}} if world else {})}
