"""What the studies of faces in worlds with known truth have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from configs.study.common.forms import check_form
from icm_jax import default_config
from icm_jax.study import config as study_config
from icm_jax.systems.risk.detection.config import METHODS

_SHORT_SEEDS, _SHORT_STEPS = 2, 300


def study_world(
    form: str,
    world: str,
    question: str,
    methods: Sequence[str],
    seeds: int,
    fields: Mapping[str, Any] | None = None,
) -> ConfigDict:
    """A study of methods in a world: the shipped defaults, or in its short form fewer steps.

    `fields` of `world` are other than by default.

    Raises:
      ValueError: there is no such form.
    """
    check_form(form)
    base = default_config("risk_faces")
    base.world.update({"name": world, **(fields or {})})
    if form == "short":
        seeds = _SHORT_SEEDS
        base.steps, base.evaluation.every = _SHORT_STEPS, _SHORT_STEPS // 3
    variants = {method: METHODS[method] for method in methods}
    name, examinations = f"risk_{world}_{form}", {"bins": {"kind": "bins"}}
    return study_config.study(name, question, base, variants, seeds, examinations)
