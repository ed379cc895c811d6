"""What makes a generator's masks whole?

    python launch.py --mode=study --config=configs/study/counterfactual_recipe.py
    python launch.py --mode=study --config=configs/study/counterfactual_recipe.py:short

Coloured MNIST: each loss left out, each departure from the published recipe taken back in turn, and
all of them together, in 6000 steps each. The measure needs no label: for how many of ten classes
the masks are whole. `python -m benchmarks.generator` tells what a run takes.
"""

from ml_collections import ConfigDict

from configs.study.common.counterfactual import study
from icm_jax import default_config
from icm_jax.systems.counterfactual.generation.config import recipe

_PUBLISHED = recipe("colored,published")
_VARIANTS = {
    "ours": {},
    "no mask entropy": {"losses": {"mask": 0.0}},
    "no edge": {"losses": {"edge": 0.0}},
    "edge of 3 pixels at once": {"losses": {"edge_wider": 0.0}},
    "textures of VGG16": {"losses": {"perceptual": (0.05, 0.1, 0.0, 0.0)}},
    "published gain": {"generator": {"gain": _PUBLISHED["generator"]["gain"]}},
    "published rate of norms": {"optimizer": {"norm": 1.0}},
    "published discriminator": {
        "discriminator": _PUBLISHED["discriminator"],
        "losses": {"adversarial": "least_squares"},
        "optimizer": {"discriminator": 2e-4},
    },
    "constant rates": {"optimizer": {"decay": 0.0}},
    "last weights": {"generator": {"average": 0.0}},
    "published": {
        name: _PUBLISHED[name] for name in ("generator", "discriminator", "losses", "optimizer")
    },
}


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, with 5 seeds, or the 'short' one.

    Raises:
      ValueError: there is no such form.
    """
    base = default_config("counterfactual")
    base.steps = 6000  # masks that come to be whole are so long before
    return study(
        "counterfactual_recipe",
        "What makes a generator's masks whole?",
        form,
        base,
        _VARIANTS,
        tuple(_VARIANTS),
        seeds=5,
    )
