"""How much of what being told would give the rare faces is had without being told?

    python launch.py --mode=study --config=configs/study/risk_conflict.py:short
    python launch.py --mode=study --config=configs/study/risk_conflict.py \\
      --config.base.data.source=faces --config.base.data.name=utkface \\
      --config.base.data.dir=FOLDER --config.base.data.non_faces=cifar.npz

One face in a hundred is inverted, and half of what is no face. Methods lie between one that does
nothing (erm) and one that is told who is rare (oracle). Each run takes 2 to 4 minutes of a core.
"""

from ml_collections import ConfigDict

from configs.study.common.risk_worlds import study_world

_METHODS = ("erm", "histogram", "density", "epistemic", "both", "oracle", "group_dro")


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 5 seeds, or the 'short' one, 2 seeds.

    Raises:
      ValueError: there is no such form.
    """
    question = "How much of what being told would give the rare faces is had without being told?"
    return study_world(form, "conflict", question, _METHODS, 5, {"share": 0.01})
