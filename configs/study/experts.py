"""Question 3: too many and too few experts, 16 and 6 for ten mechanisms.

    python launch.py --mode=study --config=configs/study/experts.py:short

An idle expert wins less than 1 % of the test images; "experts in use" are the others. Idle experts
are not restarted here, and near ties not balanced, as too many experts would divide mechanisms
among them.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import IDLE_STAY, study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    no_restarts = {"competition": IDLE_STAY}
    variants = {
        f"{count} experts": {"experts": {"count": count}} | no_restarts for count in (6, 16)
    }
    question = "What do too many and too few experts do?"
    return study("experts", question, form, variants, seeds=(20, 2))
