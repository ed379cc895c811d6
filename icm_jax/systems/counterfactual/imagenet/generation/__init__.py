"""The generator on ImageNet: three mechanisms that come to make what a frozen BigGAN makes."""

from icm_jax.systems.counterfactual.imagenet.generation.build import build_seeds, load
from icm_jax.systems.counterfactual.imagenet.generation.config import SCHEMA
from icm_jax.systems.counterfactual.imagenet.generation.evaluation import numbers
from icm_jax.systems.counterfactual.imagenet.generation.modes import USES
from icm_jax.systems.counterfactual.imagenet.generation.stories import MEASURES, tell
from icm_jax.systems.kind import Curve, Kind

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    curve=Curve("mask_mean", "mean mask", "Mean of the masks"),
    uses=USES,
)
