"""Question 4: experts of 16, 32, 64 and 128 filters.

    python launch.py --mode=study --config=configs/study/capacity.py:short

On a CPU the widest take most of the time: an hour a run on two cores.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    variants = {
        f"{filters} filters": {"experts": {"filters": filters}} for filters in (16, 32, 64, 128)
    }
    question = "How wide should an expert be?"
    return study("capacity", question, form, variants)
