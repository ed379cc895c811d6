"""Does a detector of faces find masked, dark or inverted ones with experts before it?

    python launch.py --config=configs/risk_faces.py:plain,erm --config.data.source=faces \\
      --config.data.name=utkface --config.data.dir=utkface.zip --config.data.non_faces=cifar.npz \\
      --workdir=runs/detector
    python launch.py --mode=export --workdir=runs/detector --output=detector.jax
    python launch.py --mode=study --config=configs/study/detection.py:short \\
      --config.base.data.dir=utkface.zip --config.examinations.detection.detector=detector.jax \\
      --config.examinations.detection.non_faces=cifar.npz

The detector never saw a changed face, and the experts never saw a detector. What it takes for a
face, and its epistemic uncertainty, before and after; of images without faces too, which experts
must not make faces of. The same runs then meet the ORL faces and, with
`--config.examinations.yale.data.dir=yalefaces`, those of Yale.
"""

from ml_collections import ConfigDict

from configs import faces_utkface
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
    base = faces_utkface.get_config()
    if form == "short":
        base.competition.steps = 600

    def transfer(**changes):
        data = default_config("icm").data.to_dict() | {"size": base.data.size} | changes
        return {"kind": "transfer", "data": data, "images": 300, "group_by": ""}

    examinations = {
        "detection": {
            "kind": "detection",
            "detector": "",
            "non_faces": "",
            "images": 300,
            "left": 0.95,
        },
        "orl": transfer(name="orl"),
        "yale": transfer(source="faces", name="yale"),
    }
    question = "Does a detector find masked, dark or inverted faces with experts before it?"
    seeds = {"full": 3, "short": 1}[form]
    return study_config.study(
        f"detection_{form}", question, base, {"defaults": {}}, seeds, examinations
    )
