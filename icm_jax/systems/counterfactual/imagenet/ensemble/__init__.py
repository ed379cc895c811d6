"""Three heads on one backbone, which learn shape, texture and background from counterfactuals."""

from icm_jax.systems.counterfactual.imagenet.ensemble.auxiliary import digests
from icm_jax.systems.counterfactual.imagenet.ensemble.build import build_seeds, load
from icm_jax.systems.counterfactual.imagenet.ensemble.config import SCHEMA
from icm_jax.systems.counterfactual.imagenet.ensemble.evaluation import MEASURES, numbers, tell
from icm_jax.systems.kind import Curve, Kind

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    parts=digests,
    curve=Curve("top_1", "top-1", "Accuracy on test images"),
)
