"""Which methods tell digits apart by their shape where colours and textures told the class?

    python launch.py --mode=study --config=configs/study/counterfactual_table.py \\
      --config.base.data.textures=FOLDER
    python launch.py --mode=study --config=configs/study/counterfactual_table.py:short

The published table: every method on coloured, double-coloured and wildlife MNIST. The generator of
a data set and seed is trained once for all methods that learn from it, and so is the GAN; each
classifier takes about 9 minutes of a processor core. The short form has three methods on coloured
MNIST and steps that teach nothing.
"""

from ml_collections import ConfigDict

from configs.study.common.counterfactual import study
from icm_jax import default_config
from icm_jax.systems.counterfactual.invariance.config import METHODS, set_and_method

_SETS = ("colored", "double_colored", "wildlife")
_BRIEF = ("colored, original", "colored, counterfactual", "colored, both")


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 3 seeds, or the 'short' one.

    Raises:
      ValueError: there is no such form.
    """
    variants = {
        f"{name}, {method}": set_and_method(f"{name},{method}")
        for name in _SETS
        for method in METHODS
    }
    return study(
        "counterfactual_table",
        "Which methods tell digits apart by their shape where colours and textures told the class?",
        form,
        default_config("invariant_classifier"),
        variants,
        _BRIEF,
        seeds=3,
    )
