"""Do experts of ORL's faces invert their mechanisms on those of UTKFace, without training?

    python launch.py --mode=study --config=configs/study/faces_transfer.py:short \\
      --config.examinations.utkface.data.dir=utkface.zip

The experts of configs/faces.py are of grey images, and UTKFace is turned to grey for them; the
other way round see configs/study/detection.py.
"""

from ml_collections import ConfigDict

from configs import faces
from configs.study.common.faces import data_of, study, transfer


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.faces`."""
    base = faces.get_config()
    utkface = data_of(base, {"source": "faces", "name": "utkface"})
    question = "Do experts of one set of faces invert their mechanisms on another?"
    return study("faces_transfer", question, form, base, {"utkface": transfer(utkface)})
