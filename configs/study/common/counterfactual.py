"""What the studies of counterfactual generation have in common."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from configs.study.common.forms import check_form
from icm_jax.study import config as study_config

# Steps of the short form, after which nothing has been learned: it shows what comes of the full one
_GENERATOR_STEPS, _CLASSIFIER_STEPS = 20, 40


def study(
    name: str,
    question: str,
    form: str,
    base: ConfigDict,
    variants: Mapping[str, Mapping[str, Any]],
    brief: tuple[str, ...],
    seeds: int,
) -> ConfigDict:
    """The config of a study, see `icm_jax.study.config.study`.

    Args:
      name: of its folder, to which the form is added.
      question: that it answers.
      form: 'full', or 'short', of few steps and one seed.
      base: the config that variants change, of generators or of classifiers.
      variants: name -> nested fields that differ from it.
      brief: names of those that the short form has.
      seeds: of each variant in the full form.

    Raises:
      ValueError: there is no such form.
    """
    check_form(form)
    if form == "short":
        seeds = 1
        variants = {variant: _shortened(variants[variant]) for variant in brief}
        base.steps = _GENERATOR_STEPS
        if "recipe" in base:
            base.steps = _CLASSIFIER_STEPS
            base.recipe.steps = base.gan_recipe.steps = _GENERATOR_STEPS
    return study_config.study(f"{name}_{form}", question, base, variants, seeds)


def _shortened(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a variant without the steps that a recipe among them says."""
    return {
        name: _shortened(value) if isinstance(value, Mapping) else value
        for name, value in fields.items()
        if name != "steps"
    }
