"""A quick first look: three experts, three mechanisms (right, down, inversion).

    python launch.py --config=configs/mnist_three.py

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
    result.initialization.steps = 100
    result.competition.steps = 500
    result.competition.decay = 0.5
    return result
