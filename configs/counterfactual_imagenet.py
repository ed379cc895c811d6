"""A Counterfactual Generative Network at ImageNet's scale: three BigGANs, a frozen one, a U²-Net.

    python launch.py --config=configs/counterfactual_imagenet.py:tiny
    python launch.py --config=configs/counterfactual_imagenet.py:paper \\
      --config.weights.biggan=biggan-deep-256.bin --config.weights.u2net=u2net.pth
    python launch.py --mode=generate --workdir=runs/... --output=made --labels=207,any,9

'paper' is the published setting, and needs its weights (docs/counterfactual_imagenet.md) and a GPU.
'tiny' runs all of it on a CPU in minutes: 64 pixels, ten classes, random frozen networks, of which
nothing of use is learned.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.counterfactual.imagenet.generation.config import recipe


def get_config(choice: str = "tiny") -> ConfigDict:
    """The defaults of `icm_jax.systems.counterfactual.imagenet.generation.config`, or 'tiny'."""
    result = default_config("counterfactual_imagenet")
    result.update(recipe(choice))
    return result
