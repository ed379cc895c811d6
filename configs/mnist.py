"""The paper's experiment: ten experts, ten unlabelled mechanisms of MNIST.

    python launch.py --config=configs/mnist.py
    python launch.py --config=configs/mnist.py:paper

Expect 10 of 10 mechanisms identified and some 97 % accuracy on restored digits of the first
(docs/icm_results.md); the second has the paper's values of all fields that depart from it.

Parascandolo et al. 2018, Learning Independent Causal Mechanisms.
"""

from ml_collections import ConfigDict

from icm_jax import default_config

_RECIPES = {
    "whole": {
        "experts": {"average": 0.98},  # evaluated with averages, which costs nothing
        "evaluation": {"images": 500},
        "competition": {"balance": 0.5},  # else inversion's expert may keep a part of another's
    },
    "paper": {
        "initialization": {"steps": 500},
        "competition": {"steps": 2000, "restart": {"every": 0}, "decay": 0.0, "reference": 0},
    },
}


def get_config(recipe: str = "whole") -> ConfigDict:
    """The defaults of `icm_jax.systems.icm.config` with the fields of a recipe.

    Args:
      recipe: 'whole' or 'paper'.

    Raises:
      ValueError: there is no such recipe.
    """
    if recipe not in _RECIPES:
        raise ValueError(
            f"config: {recipe!r} is not allowed; it must be one of {', '.join(_RECIPES)}"
        )
    result = default_config("icm")
    result.update(_RECIPES[recipe])
    return result
