"""Three heads on a ResNet-50 that learn shape, texture and background from counterfactuals.

    python launch.py --config=configs/invariant_ensemble.py:tiny
    python launch.py --config=configs/invariant_ensemble.py:paper --config.generator=runs/... \\
      --config.data.dir=IMAGENET --config.backbone.weights=resnet50.pth \\
      --config.evaluation.cue_conflict=FOLDER --config.evaluation.in9=FOLDER

'paper' is the published setting: labelled images in folders train and val, a finished run of
configs/counterfactual_imagenet.py:paper. 'tiny' runs all of it on a CPU in minutes, a generator
first: MNIST, 64 pixels, random networks, of which nothing of use is learned.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.counterfactual.imagenet.ensemble.config import recipe


def get_config(choice: str = "tiny") -> ConfigDict:
    """The defaults of `icm_jax.systems.counterfactual.imagenet.ensemble.config`, or 'tiny'."""
    result = default_config("invariant_ensemble")
    result.update(recipe(choice))
    return result
