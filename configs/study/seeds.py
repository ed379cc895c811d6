"""Question 1: how often are all ten mechanisms identified, and after how many steps?

    python launch.py --mode=study --config=configs/study/seeds.py:short

The shipped defaults over seeds. A mechanism is identified when one expert wins at least 90 % of
its images and is the main winner of no other.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    variants = {"defaults": {}}
    question = "How often are all ten mechanisms identified, and after how many steps?"
    return study("seeds", question, form, variants, seeds=(20, 5))
