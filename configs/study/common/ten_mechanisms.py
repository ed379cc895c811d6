"""The studies of ten mechanisms on MNIST: what their configs have in common."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from configs import mnist
from configs.study.common.forms import FORMS, check_form
from icm_jax.study import config as study_config

# `competition` of runs whose idle experts stay idle: none is restarted or given near ties.
IDLE_STAY = {"restart": {"every": 0}, "balance": 0.0}


def study(
    name: str,
    question: str,
    form: str,
    variants: Mapping[str, Mapping[str, Any]],
    seeds: tuple[int, int] = (5, 2),
    examinations: Mapping[str, Mapping[str, Any]] | None = None,
) -> ConfigDict:
    """The config of a study of ten mechanisms on MNIST; see `icm_jax.study.config.study`.

    Args:
      name: of its folder, to which the form is added.
      question: that it answers.
      form: 'full', `configs/mnist.py`, or 'short', 600 steps of competition, fewer seeds and
        2,000 test images in the last evaluation.
      variants: name -> nested fields that differ from it.
      seeds: how many of each variant in the full and the short form.
      examinations: name -> settings.

    Raises:
      ValueError: there is no such form.
    """
    check_form(form)
    base = mnist.get_config()
    base.evaluation.every = 50
    if form == "short":
        base.competition.steps = 600
        base.evaluation.last = 2000
    count = seeds[FORMS.index(form)]
    return study_config.study(f"{name}_{form}", question, base, variants, count, examinations)
