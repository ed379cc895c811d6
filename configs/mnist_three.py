"""A quick first look: three experts, three mechanisms (right, down, inversion).

    python launch.py --config=configs/mnist_three.py

1.5 to 3 minutes on two CPU cores. Expect 3 of 3 mechanisms identified and an accuracy on restored
digits some 1 point below that on the originals, now and then more (docs/icm_results.md).

The mechanisms of the 2022 reproduction; `--config.data.labels="(6,)"` restricts it to one digit
as that did.
"""

from ml_collections import ConfigDict

from icm_jax import default_config, mechanisms


def get_config() -> ConfigDict:
    """The defaults of `icm_jax.systems.icm.config` with three mechanisms and shorter phases."""
    result = default_config("icm")
    result.mechanisms = mechanisms.THREE
    result.experts.count = 3
    # Small batches: for the same work more steps, which is what restored digits need.
    result.batch_size = 8
    result.initialization.steps = 0
    result.competition.steps = 1200
    result.competition.reference = 0
    result.experts.average = 0.98
    result.classifier.steps = 400
    result.evaluation.update({"every": 600, "images": 500, "last": 5000})
    return result
