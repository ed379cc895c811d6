"""Which losses of a generator keep its masks whole?

    python launch.py --mode=study --config=configs/study/counterfactual_losses.py
    python launch.py --mode=study --config=configs/study/counterfactual_losses.py:short

Coloured MNIST, each loss left out in turn, and the losses as published: no edge, textures up to
relu3_3 of VGG16 on all images. Steps and rates are ours in all. The measure needs no label: for how
many of ten classes the masks are whole. `python -m benchmarks.generator` tells what a run takes.
"""

from ml_collections import ConfigDict

from configs.study.common.counterfactual import study
from icm_jax import default_config
from icm_jax.systems.counterfactual.generation.config import recipe

_VARIANTS = {
    "all": {},
    "no mask entropy": {"mask": 0.0},
    "no edge": {"edge": 0.0},
    "no textures": {"perceptual": (0.0, 0.0, 0.0, 0.0)},
    "published": recipe("colored,published")["losses"],
}


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 5 seeds, or the 'short' one.

    Raises:
      ValueError: there is no such form.
    """
    return study(
        "counterfactual_losses",
        "Which losses of a generator keep its masks whole?",
        form,
        default_config("counterfactual"),
        {name: {"losses": losses} for name, losses in _VARIANTS.items()},
        tuple(_VARIANTS),
        seeds=5,
    )
