"""How good are errors, likelihoods and intervals of each wrapper on nine UCI tables?

    python launch.py --mode=study --config=configs/study/risk_regression.py \\
      --config.base.data.dir=FOLDER
    python launch.py --mode=study --config=configs/study/risk_regression.py:short

A variant a data set, all its splits in one program; see configs/risk_regression.py for the folder.
The short form has diabetes alone, which is bundled, 2 seeds and 2,000 steps.
"""

from ml_collections import ConfigDict

from configs.risk_regression import get_config as table_config
from configs.study.common.ten_mechanisms import FORMS
from icm_jax.study import config as study_config

UCI = ("boston", "concrete", "energy", "kin8nm", "naval", "power", "protein", "wine", "yacht")


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, with 3 seeds, or the 'short' one.

    Raises:
      ValueError: there is no such form.
    """
    if form not in FORMS:
        raise ValueError(f"form: {form!r} is unknown; choose one of {', '.join(FORMS)}")
    base = table_config()
    variants = {"diabetes": {"data": {"name": "diabetes"}}}
    if form == "short":
        base.steps = 2000
    else:
        variants |= {name: {"data": {"name": name}} for name in UCI}
        variants["protein"]["hidden"] = (100,)  # as all published tables have it
    question = "How good are errors, likelihoods and intervals of each wrapper?"
    seeds = {"full": 3, "short": 2}[form]
    return study_config.study(f"risk_regression_{form}", question, base, variants, seeds)
