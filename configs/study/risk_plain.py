"""Are faces found as often, and counted as common, whatever their luminance?

    python launch.py --mode=study --config=configs/study/risk_plain.py:short
    python launch.py --mode=study --config=configs/study/risk_plain.py \\
      --config.base.data.source=faces --config.base.data.name=utkface \\
      --config.base.data.dir=FOLDER --config.base.data.non_faces=cifar.npz

Nothing is planted. Luminance is measured of faces in colour alone: the bundled ones, which are
grey, are told by their bins of density and uncertainty only.
"""

from ml_collections import ConfigDict

from configs.study.common.risk_worlds import study_world

_METHODS = ("erm", "density")


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 5 seeds, or the 'short' one, 2 seeds.

    Raises:
      ValueError: there is no such form.
    """
    question = "Are faces found as often, and counted as common, whatever their luminance?"
    return study_world(form, "plain", question, _METHODS, seeds=5)
