"""Classifiers that should ignore what told the class in training, learning from counterfactuals."""

from icm_jax.systems.counterfactual.generation import load
from icm_jax.systems.counterfactual.invariance.auxiliary import digests
from icm_jax.systems.counterfactual.invariance.build import build_seeds
from icm_jax.systems.counterfactual.invariance.config import SCHEMA
from icm_jax.systems.counterfactual.invariance.evaluation import MEASURES, numbers, tell
from icm_jax.systems.kind import Curve, Kind

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    parts=digests,
    curve=Curve("test_accuracy", "test accuracy", "Accuracy on test images"),
)
