"""Does drawing faces by what a network does not know of them help those that it has hardly seen?

    python launch.py --mode=study --config=configs/study/risk_faces.py:conflict \\
      --config.base.data.source=faces --config.base.data.name=utkface \\
      --config.base.data.dir=FOLDER --config.base.data.non_faces=cifar.npz

The argument is a world: conflict (methods between one that does nothing and one that is told who
is rare, 5 seeds), density (whether density ranks the groups as they were planted, 4 seeds), or
noise (wrong labels, and training without the most uncertain images, 3 seeds). `short` is the first
of them on the bundled faces, in 2 seeds of 300 steps.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.study import config as study_config
from icm_jax.systems.risk.detection.config import METHODS

# world -> (question, methods, seeds)
_STUDIES = {
    "conflict": (
        "How much of what being told would give the rare faces is had without being told?",
        ("erm", "histogram", "density", "epistemic", "both", "oracle", "group_dro"),
        5,
    ),
    "density": (
        "Does density rank groups of faces as they were planted?",
        ("erm", "histogram"),
        4,
    ),
    "noise": (
        "Are wrong labels found by aleatoric risk, and does their removal help?",
        ("clean",),
        3,
    ),
}
_STEPS = 1000
_SHORT_STEPS = 300


def get_config(world: str = "conflict") -> ConfigDict:
    """The study of a world, or its short form.

    Raises:
      ValueError: there is no such study.
    """
    if world not in (*_STUDIES, "short"):
        raise ValueError(f"world: {world!r} is unknown; choose one of {', '.join(_STUDIES)}, short")
    question, methods, seeds = _STUDIES["conflict" if world == "short" else world]
    base = default_config("risk_faces")
    base.world.name = "conflict" if world == "short" else world
    base.steps, base.evaluation.every = _STEPS, 250
    if world == "short":
        methods, seeds = ("erm", "density", "oracle"), 2
        base.steps, base.evaluation.every = _SHORT_STEPS, 100
    variants = {method: METHODS[method] for method in methods}
    return study_config.study(f"risk_faces_{world}", question, base, variants, seeds)
