"""Do experts of ORL's faces invert their mechanisms on those of UTKFace, without training?

    python launch.py --mode=study --config=configs/study/faces_transfer.py:short \\
      --config.examinations.utkface.data.dir=utkface.zip

The experts of configs/faces.py are of grey images, and UTKFace is turned to grey for them; the
other way round see configs/study/detection.py.
"""

from ml_collections import ConfigDict

from configs import faces
from configs.study.common.ten_mechanisms import FORMS
from icm_jax import default_config
from icm_jax.study import config as study_config


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, 3 seeds, or the 'short' one, 600 steps and one seed.

    Raises:
      ValueError: there is no such form.
    """
    if form not in FORMS:
        raise ValueError(f"form: {form!r} is unknown; choose one of {', '.join(FORMS)}")
    base = faces.get_config()
    if form == "short":
        base.competition.steps = 600
    data = default_config("icm").data.to_dict()
    data |= {"source": "faces", "name": "utkface", "size": base.data.size}
    examinations = {
        "utkface": {"kind": "transfer", "data": data, "images": 300, "group_by": ""},
    }
    question = "Do experts of one set of faces invert their mechanisms on another?"
    seeds = {"full": 3, "short": 1}[form]
    return study_config.study(
        f"faces_transfer_{form}", question, base, {"defaults": {}}, seeds, examinations
    )
