"""Regression with risk: tables and the cubic, by all wrappers of one network."""

from icm_jax.systems.kind import Kind
from icm_jax.systems.risk.regression.build import build_seeds
from icm_jax.systems.risk.regression.config import SCHEMA
from icm_jax.systems.risk.regression.data import load
from icm_jax.systems.risk.regression.evaluation import numbers
from icm_jax.systems.risk.regression.stories import MEASURES, tell
from icm_jax.systems.risk.regression.use import USES

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    uses=USES,
)
