"""Which methods learn digits and not the channel that tells their given label in training?

    python launch.py --mode=study --config=configs/study/stable_features.py \\
      --config.base.data.assignment=assignment.npz
    python launch.py --mode=study --config=configs/study/stable_features.py:short

Every method on ten-channel MNIST, with TOFU's network for MNIST; see configs/channel_mnist.py.
Labels and channels are those of the file, or drawn by the seed. The full form takes 5 to 20
minutes of a processor core for each of its 18 runs.
"""

from ml_collections import ConfigDict

from configs.study.common.forms import check_form
from icm_jax import default_config
from icm_jax.study import config as study_config
from icm_jax.systems.stable_features.config import METHODS


def get_config(form: str = "full") -> ConfigDict:
    """The study in its 'full' form, the shipped defaults with 3 seeds, or the 'short' one.

    That has 2 seeds, a network of two dense layers and 200 steps, 100 of each phase of TOFU
    before the last.

    Raises:
      ValueError: there is no such form.
    """
    check_form(form)
    base = default_config("stable_features")
    if form == "short":
        base.network = "mlp"
        base.steps = 200
        base.evaluation.every = 100
        for phase in ("environments", "robust", "embedding"):
            base.tofu[phase].steps = 100
    variants = {method: {"method": method} for method in METHODS}
    question = "Which methods learn digits and not the channel that tells their given label?"
    seeds = {"full": 3, "short": 2}[form]
    return study_config.study(f"stable_features_{form}", question, base, variants, seeds)
