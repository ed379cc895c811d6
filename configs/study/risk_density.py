"""Does density rank groups of faces as they were planted?

    python launch.py --mode=study --config=configs/study/risk_density.py:short
    python launch.py --mode=study --config=configs/study/risk_density.py \\
      --config.base.data.source=faces --config.base.data.name=utkface \\
      --config.base.data.dir=FOLDER --config.base.data.non_faces=cifar.npz

Six groups of faces are made by isometries of pixel space, so that the density of each is known but
for a constant; which group has which share depends on the seed. Nothing is done about it here.
"""

from ml_collections import ConfigDict

from configs.study.common.risk_worlds import study_world

_METHODS = ("erm", "histogram_only")


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 4 seeds, or the 'short' one, 2 seeds.

    Raises:
      ValueError: there is no such form.
    """
    question = "Does density rank groups of faces as they were planted?"
    return study_world(form, "density", question, _METHODS, seeds=4)
