"""Groups of UTKFace in place of mechanisms, with experts that keep what they do not change.

    python launch.py --config=configs/faces_groups.py --config.data.dir=utkface.zip
    python launch.py --config=configs/faces_groups.py --config.data.dir=utkface.zip \\
      --config.data.groups.attribute=age_band --config.data.groups.canonical=20-39 \\
      --config.data.groups.transformed="('0-12', '60+')"

The groups of the reproduction by default, see configs/faces_seed_cnn.py: one value of the third
attribute is canonical, two are transformed. There is no truth: summary.json says how many held-out
transformed faces a classifier calls canonical before and after the winner (`called_canonical`), and
how much of them is kept (`kept`, PSNR and SSIM to the input). The two pull against each other:
figures/trade_off.png has a point for each evaluation.

4000 steps and the classifier take about 25 minutes of one core; with seeds 0 and 1 more than half
of the held-out faces deceive the classifier in the end, after 2500 steps a third
(docs/icm_faces_results.md).

    python launch.py --config=configs/faces_groups.py:vae --config.data.dir=utkface.zip

The argument is the kind of experts, residual by default. VAE experts could draw any face, so a
winner pays for the distance to its input as well (`competition.keep`), without which they keep
hardly anything of the person. 15 minutes of one core; seeds 0 and 1 deceive as much, at an SSIM of
0.72 instead of 0.76 and 0.79.
"""

from ml_collections import ConfigDict

from configs import faces_seed_cnn
from icm_jax import default_config


def get_config(experts: str = "residual") -> ConfigDict:
    """Residual or VAE experts on the reproduction's groups and with its classifier.

    Raises:
      ValueError: if `experts` is another kind.
    """
    if experts not in ("residual", "vae"):
        raise ValueError(f"config: {experts!r} is not allowed; experts must be residual or vae")
    result = default_config("icm")
    seed = faces_seed_cnn.get_config()
    result.data, result.classifier = seed.data, seed.classifier
    result.experts.update({"count": 2, "kind": experts})
    result.discriminator.learning_rate = 5e-4
    result.initialization.update({"steps": 30, "threshold": 0.0})
    result.competition.update({"steps": 4000, "decay": 0.25, "reference": 0})
    if experts == "vae":
        result.discriminator.learning_rate = 2e-4
        result.initialization.steps = 500  # to learn to draw faces at all
        result.competition.update({"steps": 1500, "keep": 20.0})
    result.evaluation.update({"every": 100, "images": 200})
    return result
