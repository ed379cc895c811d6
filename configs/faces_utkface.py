"""UTKFace in colour under six designed mechanisms, which six experts come to undo.

    python launch.py --config=configs/faces_utkface.py --config.data.dir=utkface.zip

A mask and dark glasses destroy what they cover, noise destroys detail and a shift what leaves the
image; an exposure of an eighth and inversion destroy nothing. All are stronger than what faces
differ by anyway: of weaker ones, which some mechanisms' own defaults are, several go to one expert,
and so do a mask and a colour cast, or an even exposure and light from one side.

1200 steps take 7 to 10 minutes of one core; with seeds 0, 1 and 2 all six were identified. At 64x64
it takes more than another `data.size`: there two were (RESULTS.md).
"""

from ml_collections import ConfigDict

from icm_jax import config


def get_config() -> ConfigDict:
    """The defaults of `icm_jax.config.icm` with small residual experts on 28x28 faces."""
    result = config.icm()
    result.data.update({"source": "faces", "name": "utkface", "size": 28})
    result.mechanisms = (
        "mouth_mask",
        "dark_glasses",
        {"name": "exposure", "stops": -3.0},
        {"name": "translate", "dx": 0, "dy": 3},
        "invert",
        "noise",
    )
    result.experts.update({"count": 6, "kind": "residual", "filters": 16, "layers": 2})
    result.discriminator.stages = ((16, 16), (32, 32), (64, 64))
    result.discriminator.hidden = 128
    result.discriminator.learning_rate = 5e-4
    result.initialization.update({"steps": 30, "threshold": 0.0})
    result.competition.update({"steps": 1200, "reference": 0})
    # Rarely, or experts become copies of each other faster than they part.
    result.competition.restart.update({"every": 100, "idle": 0.25, "noise": 0.2})
    result.classifier.update({"learns": "canonical", "kind": "faces", "learning_rate": 1e-3})
    result.classifier.steps = 150
    result.evaluation.update({"every": 100, "images": 360})
    return result
