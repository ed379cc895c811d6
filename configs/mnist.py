"""The paper's experiment: ten experts, ten unlabelled mechanisms of MNIST.

    python launch.py --config=configs/mnist.py

About 20 minutes on two CPU cores. Expect 10 of 10 mechanisms identified and 96 to 97.5 % accuracy
on restored digits (docs/icm_results.md). For the paper's numbers where the defaults
depart from it: --config.competition.steps=2000 --config.competition.restart.every=0
--config.competition.decay=0 --config.competition.reference=0

Parascandolo et al. 2018, Learning Independent Causal Mechanisms.
"""

from ml_collections import ConfigDict

from icm_jax import default_config


def get_config() -> ConfigDict:
    """All defaults: see `icm_jax.systems.icm.config`."""
    return default_config("icm")
