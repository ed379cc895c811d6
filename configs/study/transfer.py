"""Question 7: experts trained on MNIST meet the same mechanisms on Omniglot, without training.

    python launch.py --mode=study --config=configs/study/transfer.py:short \\
      --config.examinations.omniglot.data.dir=images_background.zip \\
      --config.examinations.omniglot_evaluation.data.dir=images_evaluation.zip

The zips are those that Omniglot is published as (Lake et al. 2015, MIT licence). Characters are
inverted, thickened and put into a box as MNIST's digits are, their centre of mass in the middle:
without, an expert of shifts takes them for shifted ones. Fashion-MNIST is prepared by TFDS; data
that are not there are left out. The runs are those of configs/study/seeds.py.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study
from icm_jax import default_config


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    images = 300 if form == "short" else 3000

    def transfer(group_by, **data):
        data = default_config("icm").data.to_dict() | data
        return {"kind": "transfer", "data": data, "images": images, "group_by": group_by}

    # A ConfigDict would make one of two examinations that are the same object.
    drawings = {"source": "folder", "size": 28, "box": 20, "thicken": 5, "invert": True}
    examinations = {
        "omniglot": transfer("alphabet", **drawings),
        "omniglot_evaluation": transfer("alphabet", **drawings),
        "fashion_mnist": transfer("", source="tfds", name="fashion_mnist"),
    }
    question = "Do experts of digits invert their mechanisms on other images?"
    return study("transfer", question, form, {"defaults": {}}, examinations=examinations)
