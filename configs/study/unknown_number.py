"""Question 10: an unknown number of mechanisms; 3, 5 and 10, found by 16 experts.

    python launch.py --mode=study --config=configs/study/unknown_number.py:short

Experts with less than 2 % of the wins at the end of training are dropped (`experts.prune`); idle
ones are not restarted, and near ties not balanced. "Mechanisms found" is how many the experts in
use stand for, those that undo the same one counted once; neither needs labels
(`icm_jax/systems/icm/specialization.py`).
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import IDLE_STAY, study
from icm_jax import mechanisms


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    common = {
        "experts": {"count": 16, "prune": 0.02},
        "competition": IDLE_STAY,
    }
    three = mechanisms.THREE
    five = (*three, "translate_up_left", "noise")
    variants = {
        "3 mechanisms": common | {"mechanisms": three},
        "5 mechanisms": common | {"mechanisms": five},
        "10 mechanisms": common,
    }
    question = "Do the experts tell the number of mechanisms?"
    return study("unknown_number", question, form, variants)
