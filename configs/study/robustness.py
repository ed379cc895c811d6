"""Does a classifier with experts before it tell digits that it was not trained on?

    python launch.py --mode=study --config=configs/study/robustness.py:short
    python launch.py --mode=examine --workdir=RUN --config=configs/study/robustness.py:short

The classifier learned canonical digits alone. Beside it and the experts: a classifier that learned
with the same mechanisms as augmentation, and experts that were taught by true pairs, which are
trained once for a run, in its folder `examined`. Then what nobody learned: the same mechanisms
weaker and stronger, two in a row, and ten corruptions. The runs are those of
configs/study/seeds.py.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study
from icm_jax import mechanisms

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


def _shifts(pixels: int) -> list[dict]:
    return [{"name": "translate", "dx": pixels * dx, "dy": pixels * dy} for dx, dy in _DIRECTIONS]


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    examination = {
        "kind": "robustness",
        "images": 200 if form == "short" else 1000,
        "pairs": 20 if form == "short" else 100,
        "weaker": (*_shifts(2), {"name": "noise", "std": 0.25}),
        "stronger": (*_shifts(6), {"name": "noise", "std": 0.75}),
        "unknown": mechanisms.CORRUPTIONS,
        "left": 0.95,
        "augmented_steps": 2400,
        "oracle_steps": 1000,
    }
    question = "Does a classifier with experts before it tell digits that it was not trained on?"
    return study(
        "robustness", question, form, {"defaults": {}}, examinations={"robustness": examination}
    )
