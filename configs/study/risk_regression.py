"""How good are errors, likelihoods and intervals of each wrapper on nine UCI tables?

    python launch.py --mode=study --config=configs/study/risk_regression.py \\
      --config.base.data.dir=FOLDER
    python launch.py --mode=study --config=configs/study/risk_regression.py:short

A variant a data set, all its splits in one program; see configs/risk_regression.py for the folder.
The short form has diabetes alone, which is bundled, and 2 seeds of 5 of its splits.
"""

from ml_collections import ConfigDict

from configs.risk_regression import PUBLISHED, fields_of
from configs.study.common.forms import check_form
from icm_jax import default_config
from icm_jax.study import config as study_config

UCI = ("boston", "concrete", "energy", "kin8nm", "naval", "power", "protein", "wine", "yacht")


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, with 3 seeds, or the 'short' one.

    Raises:
      ValueError: there is no such form.
    """
    check_form(form)
    base = default_config("risk_regression")
    base.wrappers = PUBLISHED
    names = ("diabetes", *UCI)
    if form == "short":
        base.data.splits = 5
        names = names[:1]
    variants = {name: fields_of(name) for name in names}
    question = "How good are errors, likelihoods and intervals of each wrapper?"
    seeds = {"full": 3, "short": 2}[form]
    return study_config.study(f"risk_regression_{form}", question, base, variants, seeds)
