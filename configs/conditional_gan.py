"""A conditional GAN on a data set whose colours or textures tell the class, to compare with.

    python launch.py --config=configs/conditional_gan.py:colored
    python launch.py --config=configs/conditional_gan.py:wildlife --config.data.textures=FOLDER
    python launch.py --config=configs/invariant_classifier.py:colored,gan

The argument is a data set (colored, double_colored, wildlife, folder), colored by default.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.counterfactual.gan.config import recipe


def get_config(choice: str = "colored") -> ConfigDict:
    """The defaults of `icm_jax.systems.counterfactual.gan.config` with those of a set."""
    result = default_config("conditional_gan")
    result.update(recipe(choice))
    return result
