"""Are wrong labels found by aleatoric risk, and does it help to leave them out?

    python launch.py --mode=study --config=configs/study/risk_noise.py:short
    python launch.py --mode=study --config=configs/study/risk_noise.py \\
      --config.base.data.source=faces --config.base.data.name=utkface \\
      --config.base.data.dir=FOLDER --config.base.data.non_faces=cifar.npz

Labels are flipped at a rate that depends on the group. A detector learns; then another one without
the tenth of the images that the first is most uncertain about.
"""

from ml_collections import ConfigDict

from configs.study.common.risk_worlds import study_world

_METHODS = ("clean", "aleatoric")


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 3 seeds, or the 'short' one, 2 seeds.

    Raises:
      ValueError: there is no such form.
    """
    question = "Are wrong labels found by aleatoric risk, and does it help to leave them out?"
    return study_world(form, "noise", question, _METHODS, seeds=3)
