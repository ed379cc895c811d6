"""What the studies of experts of faces have in common."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from configs.study.common.forms import check_form
from icm_jax import default_config
from icm_jax.study import config as study_config


def study(
    name: str, question: str, form: str, base: ConfigDict, examinations: Mapping[str, Any]
) -> ConfigDict:
    """The config of a study in its 'full' form, 3 seeds, or the 'short' one, 600 steps and one.

    Args:
      name: of its folder, to which the form is added.
      question: that it answers.
      form: 'full' or 'short'.
      base: the config of the experts.
      examinations: name -> settings.

    Raises:
      ValueError: there is no such form.
    """
    check_form(form)
    if form == "short":
        base.competition.steps = 600
    seeds = {"full": 3, "short": 1}[form]
    return study_config.study(
        f"{name}_{form}", question, base, {"defaults": {}}, seeds, examinations
    )


def data_of(base: ConfigDict, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields `data` of other faces, of the size of those of `base`."""
    return default_config("icm").data.to_dict() | {"size": base.data.size} | changes


def transfer(data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the examination that shows experts 300 of these data."""
    return {"kind": "transfer", "data": data, "images": 300, "group_by": ""}
