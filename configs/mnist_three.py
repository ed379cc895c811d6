"""A quick first look: three experts, three mechanisms (right, down, inversion).

    python launch.py --config=configs/mnist_three.py

3 to 4 minutes on two CPU cores. Expect 3 of 3 mechanisms identified and an accuracy on restored
digits about 1 point below that on the originals (README, "What was measured").

The mechanisms of the 2022 reproduction; `--config.data.labels="(6,)"` restricts it to one digit
as that did.
"""

from ml_collections import ConfigDict

from icm_jax import config, mechanisms


def get_config() -> ConfigDict:
    """The defaults of `icm_jax.config.icm` with three mechanisms and shorter phases."""
    result = config.icm()
    result.mechanisms = mechanisms.THREE
    result.experts.count = 3
    # Small batches: for the same work twice the steps, which is what restored digits need.
    result.batch_size = 16
    result.initialization.steps = 150
    result.competition.steps = 700
    result.competition.reference = 0
    result.classifier.steps = 400
    result.evaluation.every = 350
    return result
