"""Question 2: competition without identity initialization, and after 50, 200 and 500 steps of it.

    python launch.py --mode=study --config=configs/study/initialization.py:short

The threshold on the squared error, which would end it earlier, is off. Idle experts are restarted,
as by default; "no restarts" is the paper's recipe without initialization.
"""

from ml_collections import ConfigDict

from icm_jax.study_config import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `icm_jax.study_config.study`."""
    lengths = {
        f"{steps} steps": {"initialization": {"steps": steps, "threshold": 0.0}}
        for steps in (0, 50, 200, 500)
    }
    bare = {"initialization": {"steps": 0}, "competition": {"restart": {"every": 0}}}
    variants = lengths | {"0 steps, no restarts": bare}
    question = "What does identity initialization do, and how long should it be?"
    return study("initialization", question, form, variants, seeds=(20, 2))
