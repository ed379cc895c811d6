"""Faces under four designed mechanisms: a mask, dark glasses, light from the left and the right.

    python launch.py --config=configs/faces.py

The 400 ORL faces come with the packages: nothing is downloaded. 32 people are trained on and 8 of
them never seen, so nobody can say by a classifier who a restored face is; results are wins and
PSNR. A mask and glasses destroy what they cover, light destroys nothing.

A starting point: what it comes to has yet to be measured. For UTKFace, in colour, with the
mechanisms where they belong on it:
--config.data.source=faces --config.data.name=utkface --config.data.dir=utkface.zip
--config.mechanisms="('mouth_mask', 'dark_glasses', 'light_left', 'light_right')"
"""

from ml_collections import ConfigDict

from icm_jax import config


def get_config() -> ConfigDict:
    """The defaults of `icm_jax.config.icm` with four mechanisms on 28x28 grey faces."""
    result = config.icm()
    result.data.name = "orl"
    result.data.size = 28
    # The head fills less of these images than of those that the mechanisms' defaults are for.
    result.mechanisms = (
        {"name": "mouth_mask", "top": 0.58},
        {"name": "dark_glasses", "eyes": 0.42},
        "light_left",
        "light_right",
    )
    result.experts.count = 4
    result.batch_size = 16
    result.initialization.steps = 150
    result.competition.steps = 700
    result.competition.reference = 0
    result.evaluation.every = 350
    return result
