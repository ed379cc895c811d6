"""How few transformed images do experts need, and how few of a mechanism that is new?

    python launch.py --mode=study --config=configs/study/few.py:short
    python launch.py --mode=examine --workdir=RUN --config=configs/study/few.py:short

Ten experts compete for 30, 100, 300 or 3,000 images of each of ten mechanisms; an oracle is given
as many true pairs of each. Then one new expert beside ten finished ones, which are frozen, learns
an eleventh mechanism, an exposure 2.5 stops too low, from 10, 30 or 100 images. All of it is
trained once for a run of configs/study/seeds.py, in its folder `examined`.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    examination = {
        "kind": "few",
        "images": 200 if form == "short" else 1000,
        "counts": (30, 300) if form == "short" else (30, 100, 300, 3000),
        "steps": 600 if form == "short" else 1000,
        "new": (10, 30, 100),
        "new_steps": 300,
        "mechanism": ({"name": "exposure", "stops": -2.5},),
    }
    question = "How few transformed images do experts need, and how few of a new mechanism?"
    return study("few", question, form, {"defaults": {}}, examinations={"few": examination})
