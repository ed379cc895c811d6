"""The configs of studies: a question, the variants that answer it, and how many seeds of each."""

import re
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from icm_jax.study import examine
from icm_jax.systems import registry

_FIELDS = ("name", "question", "seeds", "seeds_per_run", "base", "variants", "examinations")


def study(
    name: str,
    question: str,
    base: ConfigDict,
    variants: Mapping[str, Mapping[str, Any]],
    seeds: int,
    examinations: Mapping[str, Mapping[str, Any]] | None = None,
) -> ConfigDict:
    """The config of a study.

    Args:
      name: of its folder.
      question: that it answers.
      base: the config that variants change.
      variants: name -> nested fields that differ from `base`: `{"experts": {"count": 16}}`.
      seeds: how many of each variant: `base.seed`, `base.seed + 1`, ...
      examinations: name -> settings of what is done with every finished run; `kind` names one of
        the `examinations` of the system of `base`.
    """
    return ConfigDict(
        {
            "name": name,
            "question": question,
            "seeds": seeds,
            "seeds_per_run": 1,  # seeds trained under one vmap; several are faster on a GPU
            "base": base,
            "variants": dict(variants),
            "examinations": dict(examinations or {}),
        }
    )


def variant(study: ConfigDict, name: str) -> ConfigDict:
    """The config that a variant is trained with, of the first seed.

    Raises:
      ValueError: it cannot run; the message names variant, field and value.
    """
    changed = study.base.copy_and_resolve_references()
    try:
        changed.update(study.variants[name])
        registry.validate(changed)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"variants: {name!r}: {error}") from error
    return changed


def names(study: ConfigDict) -> list[str]:
    """The names of the variants, numbers in them by their size: '16 filters', '128 filters'.

    A ConfigDict does not keep the order in which it was made.
    """
    return sorted(
        study.variants,
        key=lambda name: [
            (part.isdigit(), int(part) if part.isdigit() else part)
            for part in re.split(r"(\d+)", name)
            if part
        ],
    )


def validate(study: ConfigDict) -> None:
    """Refuses a study that cannot run, before any work.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    if sorted(study) != sorted(_FIELDS):
        raise ValueError(f"config: a study has the fields {', '.join(_FIELDS)}, not {list(study)}")
    for field in ("seeds", "seeds_per_run"):
        if study[field] < 1:
            raise ValueError(f"{field}: {study[field]!r} is not allowed; it must be at least 1")
    if not re.fullmatch(r"[\w .,+=-]*\w", study.name) or study.name == "runs":
        raise ValueError(
            f"name: {study.name!r} is not allowed; it must be the name of a folder, and not "
            "'runs', which is that of all runs"
        )
    if study.base.get("replicas", 1) != 1:
        raise ValueError(
            f"base.replicas: {study.base.replicas} is not allowed; seeds_per_run says how many "
            "seeds are trained at once"
        )
    if not study.variants:
        raise ValueError("variants: none; name at least one")
    for name in study.variants:
        variant(study, name)
    examine.check(study.examinations, study.base)
