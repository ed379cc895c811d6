"""The generator: mechanisms that learn from images and their labels."""

from icm_jax.systems.counterfactual.generation.build import build_seeds, load
from icm_jax.systems.counterfactual.generation.config import SCHEMA
from icm_jax.systems.counterfactual.generation.evaluation import numbers
from icm_jax.systems.counterfactual.generation.modes import USES
from icm_jax.systems.counterfactual.generation.stories import MEASURES, tell
from icm_jax.systems.kind import Curve, Kind

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    curve=Curve("whole_masks", "whole masks", "Share of the classes with whole masks"),
    uses=USES,
)
