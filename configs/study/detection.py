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
must not make faces of. The same runs then meet the ORL faces and those of Yale: whether the right
expert wins there, `orl` and, with `--config.examinations.yale.data.dir=yalefaces`, `yale`, and what
the detector says, `detection_orl` and `detection_yale`, which are given the same files. What has no
file is left out.
"""

from ml_collections import ConfigDict

from configs import faces_utkface
from configs.study.common.faces import data_of, study, transfer


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.faces`."""
    base = faces_utkface.get_config()

    def detection(own, changes):
        return {
            "kind": "detection",
            "detector": "",
            "non_faces": "",
            "own": own,
            "data": data_of(base, changes),
            "images": 300,
            "left": 0.95,
        }

    orl, yale = {"name": "orl"}, {"source": "faces", "name": "yale"}
    examinations = {
        "detection": detection(True, {}),
        "orl": transfer(data_of(base, orl)),
        "yale": transfer(data_of(base, yale)),
        "detection_orl": detection(False, orl),
        "detection_yale": detection(False, yale),
    }
    question = "Does a detector find masked, dark or inverted faces with experts before it?"
    return study("detection", question, form, base, examinations)
