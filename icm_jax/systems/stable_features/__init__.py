"""Stable features: classifiers that do without what tells the label in training only."""

from icm_jax import data
from icm_jax.systems.kind import Curve, Kind
from icm_jax.systems.stable_features.build import build_seeds
from icm_jax.systems.stable_features.config import SCHEMA
from icm_jax.systems.stable_features.evaluation import numbers
from icm_jax.systems.stable_features.stories import MEASURES, tell

KINDS = {
    "stable_features": Kind(
        schema=SCHEMA,
        load=lambda config: data.load(config.data),
        build=build_seeds,
        story=tell,
        numbers=numbers,
        measures=MEASURES,
        curve=Curve(
            "test_true", "test accuracy, true labels", "Accuracy on true labels of test images"
        ),
    ),
}
