"""Is what experts learned forgotten when other mechanisms come?

    python launch.py --mode=study --config=configs/study/forgetting.py:short
    python launch.py --mode=examine --workdir=RUN --config=configs/study/forgetting.py:short

Five mechanisms are learned, then the five others come with five new experts, and no image of the
first; the old experts compete, or are frozen. Beside them one network of the size of five experts
is taught by true pairs, first of the ones and then of the others. Last, one mechanism of a run of
ten stays away for 500 steps, with and without restarts of idle experts. All of it is trained once
for a run of configs/study/seeds.py, in its folder `examined`.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    steps = 600 if form == "short" else 1000
    examination = {
        "kind": "forgetting",
        "images": 200 if form == "short" else 1000,
        "steps": steps,
        "more": steps,
        "filters": 72,
        "away": 500,
        "gone": 0,
    }
    question = "Is what experts learned forgotten when other mechanisms come?"
    examinations = {"forgetting": examination}
    return study("forgetting", question, form, {"defaults": {}}, examinations=examinations)
