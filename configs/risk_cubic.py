"""A cubic with noise of known, uneven strength: what each wrapper knows of what it does not know.

    python launch.py --config=configs/risk_cubic.py
    python launch.py --config=configs/risk_cubic.py:mve,ensemble_mve

The argument names wrappers (icm_jax/systems/risk/regression/registry.py), all by default; they are
trained in one program and drawn side by side: prediction, aleatoric and epistemic risk, density and
novelty. Points lie where |x| is at most 4 and are few near -4; their noise is 2.2 at -1 and 0.2 far
from there. Part 1 of MIT's lab on Capsa (Lolla et al. 2022).
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.risk.regression.config import wrappers_of


def get_config(choice: str = "") -> ConfigDict:
    """The defaults of `icm_jax.systems.risk.regression.config` on the cubic."""
    result = default_config("risk_regression")
    result.wrappers = wrappers_of(choice)
    result.hidden = (32, 32, 32)  # the lab's
    result.steps, result.evaluation.every, result.log.every = 5000, 1000, 50
    return result
