"""Wrappers that make a Flax network say what it does not know (Lolla et al. 2022, Capsa).

plain, mve, dropout, ensemble, vae, histogram, density, controller
              make models of networks and of models; see `icm_jax.systems.risk.wrappers.wrap`
Risk          what a model's `predict` gives
combine       the law by which risks of equals become one
conformal     intervals and sets of classes that cover what they promise, on top of any model
"""

from icm_jax.systems.risk import conformal
from icm_jax.systems.risk.wrappers.controller import controller
from icm_jax.systems.risk.wrappers.result import Risk, combine
from icm_jax.systems.risk.wrappers.wrap import (
    density,
    dropout,
    ensemble,
    histogram,
    mve,
    plain,
    vae,
)

__all__ = [
    "Risk",
    "combine",
    "conformal",
    "controller",
    "density",
    "dropout",
    "ensemble",
    "histogram",
    "mve",
    "plain",
    "vae",
]
