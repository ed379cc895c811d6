"""Question 8: an unbalanced mixture, mechanisms with shares from 30 % down to 1 %.

    python launch.py --mode=study --config=configs/study/mixture.py:short

The order of the shares is that of the mechanisms: translations right, left, down, up, then the
diagonal ones, inversion, noise. "reversed" gives inversion and noise the large shares. Tests have
every mechanism equally often.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    shares = (30, 20, 15, 10, 8, 6, 5, 3, 2, 1)
    variants = {"30 % to 1 %": {"mixture": shares}, "reversed": {"mixture": shares[::-1]}}
    question = "Are rare mechanisms identified too?"
    return study("mixture", question, form, variants)
