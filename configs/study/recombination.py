"""Can experts that were trained apart be put together without training?

    python launch.py --mode=study --config=configs/study/recombination.py:short
    python launch.py --mode=examine --workdir=RUN --config=configs/study/recombination.py:short

Two banks learn five mechanisms each, from other seeds and other halves of the images, and are put
together under one discriminator: either one's, the mean of both, or a new one that learns from
canonical images alone; then they compete together for 50 steps. Beside them stands one bank of
all ten, a run of configs/study/seeds.py; the banks are trained once for it, in its folder
`examined`.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    examination = {
        "kind": "recombination",
        "images": 200 if form == "short" else 1000,
        "steps": 600 if form == "short" else 1000,
        "discriminator_steps": 200,
        "together": 50,
    }
    question = "Can experts that were trained apart be put together without training?"
    examinations = {"recombination": examination}
    return study("recombination", question, form, {"defaults": {}}, examinations=examinations)
