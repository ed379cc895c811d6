"""A Counterfactual Generative Network: shape, foreground and background that can be told apart.

    python launch.py --config=configs/counterfactual.py
    python launch.py --config=configs/counterfactual.py:wildlife --config.data.textures=FOLDER
    python launch.py --config=configs/counterfactual.py:double_colored,published
    python launch.py --config=configs/counterfactual.py:folder --config.data.dir=FOLDER
    python launch.py --mode=generate --workdir=runs/... --output=counterfactuals

The argument is a data set (colored, double_colored, wildlife, folder), colored by default; with
',published' the recipe is that of the published code. Digits are of MNIST, whose colours or
textures tell the class; 'folder' takes labelled images of one's own as they are.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.counterfactual.generation.config import recipe


def get_config(choice: str = "colored") -> ConfigDict:
    """The defaults of `icm_jax.systems.counterfactual.generation.config` with those of a set."""
    result = default_config("counterfactual")
    result.update(recipe(choice))
    return result
