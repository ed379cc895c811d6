"""UTKFace in colour under six designed mechanisms, which six experts come to undo.

    python launch.py --config=configs/faces_utkface.py --config.data.dir=utkface.zip

A mask and dark glasses destroy what they cover, noise destroys detail and a shift what leaves the
image; an exposure of an eighth and inversion destroy nothing. All are stronger than what faces
differ by anyway: of weaker ones, which some mechanisms' own defaults are, several go to one expert,
and so do a mask and a colour cast, or an even exposure and light from one side.

    python launch.py --config=configs/faces_utkface.py:64 --config.data.dir=utkface.zip

The argument is the side of images, 28 by default. At 64 the discriminator has one stage more, at
the large end, and a narrow one: with 16 filters there fewer mechanisms are identified. The shift is
as far as at 28, and experts take squares of 2x2 pixels for one place, in half the time.

1200 steps take 7 to 10 minutes of one core, 22 to 25 at 64x64; with seeds 0, 1 and 2 all six were
identified at both sizes.
"""

from ml_collections import ConfigDict

from icm_jax import default_config


def get_config(side: str = "28") -> ConfigDict:
    """The defaults of ICM with small residual experts on faces of 28 or 64 pixels.

    Raises:
      ValueError: if `side` is another.
    """
    if side not in ("28", "64"):
        raise ValueError(f"config: {side!r} is not allowed; the side must be 28 or 64")
    result = default_config("icm")
    result.data.update({"source": "faces", "name": "utkface", "size": int(side)})
    result.mechanisms = (
        "mouth_mask",
        "dark_glasses",
        {"name": "exposure", "stops": -3.0},
        {"name": "translate", "dx": 0, "dy": 3 if side == "28" else 6},
        "invert",
        "noise",
    )
    result.experts.update({"count": 6, "kind": "residual", "filters": 16, "layers": 2})
    result.discriminator.stages = ((16, 16), (32, 32), (64, 64))
    if side == "64":
        result.experts.patch = 2
        result.discriminator.stages = ((8, 8), *result.discriminator.stages)
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
