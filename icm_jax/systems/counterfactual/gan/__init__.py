"""A conditional GAN to compare counterfactuals with: one network makes the whole image."""

from icm_jax.systems.counterfactual.gan.build import build_seeds
from icm_jax.systems.counterfactual.gan.config import SCHEMA
from icm_jax.systems.counterfactual.gan.evaluation import MEASURES, numbers, tell
from icm_jax.systems.counterfactual.generation import load
from icm_jax.systems.kind import Curve, Kind

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    curve=Curve("spread", "spread", "How far images of a class differ, as a share of originals'"),
)
