"""Question 2: competition without identity initialization, and after 50, 200 and 500 steps of it.

    python launch.py --mode=study --config=configs/study/initialization.py:short

Idle experts are restarted, as by default; "no restarts" leaves them idle, and does not balance near
ties, as the paper does.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import IDLE_STAY, study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    lengths = {
        f"{steps} steps": {"initialization": {"steps": steps}} for steps in (0, 50, 200, 500)
    }
    lengths["500 steps"]["initialization"]["threshold"] = 0.0  # or it ends after some 250
    no_restarts = {"competition": IDLE_STAY}
    variants = lengths | {
        f"{steps} steps, no restarts": lengths[f"{steps} steps"] | no_restarts for steps in (0, 200)
    }
    question = "What does identity initialization do, and how long should it be?"
    return study("initialization", question, form, variants, seeds=(20, 2))
