"""Do experts tell whose mechanism made an image, how sure that is, and that it was nobody's?

    python launch.py --mode=study --config=configs/study/diagnosis.py:short \\
      --config.examinations.omniglot.data.dir=images_background.zip
    python launch.py --mode=examine --workdir=RUN --config=configs/study/diagnosis.py:short

On the run's own test images and on characters of Omniglot, drawn as digits are (see
configs/study/transfer.py), which are left out where there are none. The runs are those of
configs/study/seeds.py.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study
from icm_jax import default_config, mechanisms


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    drawings = {"source": "folder", "size": 28, "box": 20, "thicken": 5, "invert": True}

    def told(own, **changes):
        return {
            "kind": "diagnosis",
            "own": own,
            "data": default_config("icm").data.to_dict() | changes,
            "images": 200 if form == "short" else 1000,
            "unknown": mechanisms.CORRUPTIONS,
        }

    examinations = {"digits": told(True), "omniglot": told(False, **drawings)}
    question = "Do experts tell whose mechanism made an image, and that it was nobody's?"
    return study("diagnosis", question, form, {"defaults": {}}, examinations=examinations)
