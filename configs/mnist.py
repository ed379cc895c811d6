"""The paper's experiment: ten experts, ten unlabelled mechanisms of MNIST.

    python launch.py --config=configs/mnist.py

Parascandolo et al. 2018, Learning Independent Causal Mechanisms.
"""

from ml_collections import ConfigDict

from icm_jax import config


def get_config() -> ConfigDict:
    """All defaults: see `icm_jax.config.icm`."""
    return config.icm()
