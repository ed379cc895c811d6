"""Question 9: images transformed by two mechanisms in a row, all ordered pairs.

    python launch.py --mode=study --config=configs/study/composition.py:short

Greedy: the winner, then the winner of what it made. Search: all experts after all experts, the
first output that looks canonical. The runs are those of configs/study/seeds.py.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    images = 10 if form == "short" else 100
    examinations = {
        "greedy": {"kind": "composition", "images": images, "limit": 4, "width": 1},
        "search": {"kind": "composition", "images": images, "limit": 2, "width": 10},
    }
    question = "Do experts of single mechanisms undo two in a row?"
    return study("composition", question, form, {"defaults": {}}, examinations=examinations)
