"""How many counterfactuals does a classifier need, and how many shapes among them?

    python launch.py --mode=study --config=configs/study/counterfactual_amount.py
    python launch.py --mode=study --config=configs/study/counterfactual_amount.py:short

Double-coloured MNIST: ten thousand to a million counterfactuals, of which 1 to 20 have the same
shape in other textures. All variants of a seed learn from one generator and take as many steps,
whatever the number, about 9 minutes of a processor core each. The short form has the least and
the most.
"""

from ml_collections import ConfigDict

from configs.study.common.counterfactual import study
from icm_jax import default_config
from icm_jax.systems.counterfactual.invariance.config import set_and_method

_COUNTS = (10_000, 100_000, 1_000_000)
_PER_SHAPE = (1, 5, 10, 20)


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 3 seeds, or the 'short' one.

    Raises:
      ValueError: there is no such form.
    """
    base = default_config("invariant_classifier")
    base.update(set_and_method("double_colored,counterfactual"))
    variants = {
        f"{count} counterfactuals, {per_shape} of a shape": {
            "counterfactuals": {"count": count, "per_shape": per_shape}
        }
        for count in _COUNTS
        for per_shape in _PER_SHAPE
    }
    names = tuple(variants)
    return study(
        "counterfactual_amount",
        "How many counterfactuals does a classifier need, and how many shapes among them?",
        form,
        base,
        variants,
        (names[0], names[-1]),
        seeds=3,
    )
