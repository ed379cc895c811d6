"""The mechanisms M_j: pure functions of a key and one image, registered by name.

A mechanism maps an image `[H, W, C]` in [0, 1] to an image of the same shape and range. Which
mechanism made an image is known to the evaluation only, never to training. A new one takes
three lines, in this package, a config file or a notebook:

    @mechanisms.register("mirror")
    def mirror(key, image):
        return image[:, ::-1]
"""

from icm_jax.mechanisms.digits import PAPER, THREE
from icm_jax.mechanisms.faces import FACES
from icm_jax.mechanisms.mixture import any_of
from icm_jax.mechanisms.registry import (
    Mechanism,
    Spec,
    apply,
    build,
    check,
    label,
    region,
    register,
    unregister,
)
from icm_jax.mechanisms.unseen import CORRUPTIONS

__all__ = [
    "CORRUPTIONS",
    "FACES",
    "PAPER",
    "THREE",
    "Mechanism",
    "Spec",
    "any_of",
    "apply",
    "build",
    "check",
    "label",
    "region",
    "register",
    "unregister",
]
