"""The config of regression with risk: its fields and their rules."""

from ml_collections import ConfigDict

from icm_jax.schema import (
    Field,
    Fields,
    Schema,
    any_text,
    at_least,
    fraction,
    intervals,
    positive,
    share,
    tuple_of,
    with_shared,
)
from icm_jax.systems.risk.regression.registry import WRAPPERS

CUBIC = "cubic"

_FIELDS: Fields = {
    "data": {
        "name": Field(
            CUBIC,
            any_text(),
            "cubic, a curve with known noise; diabetes, bundled; or a table in data.dir "
            "(icm_jax.systems.risk.tables)",
        ),
        "dir": Field("", any_text(), "folder of tables, <name>.npz or <name>.csv"),
        "splits": Field(
            0, at_least(0), "splits of the table that are trained, the first ones; 0: all"
        ),
    },
    "wrappers": Field(
        tuple(WRAPPERS),
        tuple_of(f"names, of {', '.join(WRAPPERS)}", lambda name: name in WRAPPERS),
        "what goes around the network, each a model of its own "
        "(icm_jax.systems.risk.regression.registry)",
    ),
    "hidden": Field(
        (50,),
        tuple_of("whole numbers from 1 on", lambda width: type(width) is int and width >= 1),
        "widths of the network's hidden layers",
    ),
    "members": Field(5, at_least(1), "networks of an ensemble", of=("ensemble",)),
    "dropout": {
        "rate": Field(0.05, fraction(), "share of units that are dropped", of=("dropout",)),
        "passes": Field(20, at_least(1), "passes of a prediction", of=("dropout",)),
    },
    "mve": {
        "beta": Field(
            0.5,
            at_least(0),
            "errors are weighed by variance^beta; 0: negative log likelihood",
            of=("mve",),
        )
    },
    "vae": {"latent": Field(4, at_least(1), "latents of the autoencoder", of=("vae",))},
    "histogram": {
        "bins": Field(10, at_least(2), "bins of each feature", of=("histogram",)),
        "size": Field(2000, at_least(1), "training rows that it knows", of=("histogram",)),
    },
    "density": {
        "neighbours": Field(50, at_least(1), "nearest rows that density is of", of=("density",)),
        "size": Field(2000, at_least(1), "training rows that it knows", of=("density",)),
    },
    "batch_size": Field(32, at_least(1), "rows of a step, on all devices"),
    "steps": Field(20_000, at_least(0), "steps of training"),
    "optimizer": {
        "learning_rate": Field(5e-3, positive(), "learning rate of Adam"),
        "weight_decay": Field(
            0.0, at_least(0), "share of the kernels that a step of rate 1 takes away (AdamW)"
        ),
        "decay": Field(0.8, share(), "the rate falls to 0 over this last fraction of the steps"),
    },
    "evaluation": {"every": Field(2000, at_least(1), "steps between evaluations on test rows")},
    **intervals(200, 10_000),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    names = config.wrappers
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"wrappers: {tuple(names)!r} is not allowed; it must name at least one, each once"
        )
    density = config.density
    if density.neighbours > density.size:
        raise ValueError(
            f"density.neighbours: {density.neighbours} is not allowed; it must be at most "
            f"density.size, {density.size}"
        )


SCHEMA = Schema(
    with_shared("risk_regression", _FIELDS, without=("data", "convolution")),
    _check,
)


def wrappers_of(choice: str) -> tuple[str, ...]:
    """The wrappers that an argument like 'mve,ensemble_mve' names; all where it is empty.

    Raises:
      ValueError: one is no wrapper.
    """
    names = tuple(filter(None, choice.split(","))) or tuple(WRAPPERS)
    for name in names:
        if name not in WRAPPERS:
            raise ValueError(
                f"config: {name!r} is no wrapper; it must be one of {', '.join(WRAPPERS)}"
            )
    return names
