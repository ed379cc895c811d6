"""Question 6: one network for all mechanisms, and the supervised oracle.

    python launch.py --mode=study --config=configs/study/single_network.py:short

The oracle's networks, one a mechanism, learn from true pairs as many steps as a competition has:
the upper bound of what experts of this kind restore. "identified" says nothing of either.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    variants = {
        f"single, {filters} filters": {"experts": {"count": 1, "filters": filters}}
        for filters in (32, 64, 128)
    }
    variants |= {"ten experts": {}, "oracle": {"system": "oracle"}}
    question = "Can one network do what ten experts do, and what is the upper bound?"
    return study("single_network", question, form, variants)
