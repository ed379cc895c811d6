"""The systems that a config can name: one import and one row for each folder."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from icm_jax import schema
from icm_jax.systems import counterfactual, icm, risk, stable_features
from icm_jax.systems.kind import Kind, Use

SYSTEMS: dict[str, Kind] = {
    **icm.KINDS,
    **stable_features.KINDS,
    **risk.KINDS,
    **counterfactual.KINDS,
}


def kind_of(config: ConfigDict | Mapping[str, Any]) -> Kind:
    """The kind that a config, or the summary of a run, names in `system`.

    Raises:
      ValueError: there is none of that name.
    """
    return _find(config.get("system"))


def default_config(system: str) -> ConfigDict:
    """The config of a system with the default of every field.

    Raises:
      ValueError: there is none of that name.
    """
    return _find(system).schema.defaults()


def validate(config: ConfigDict) -> None:
    """Refuses a config that cannot run, before any work.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    schema.validate(config, kind_of(config).schema)


def uses() -> dict[str, Use]:
    """What finished runs can be used for: mode -> the use of some kind, with the options of all.

    Kinds that have the same mode agree on whether it takes an input, not on all options.
    """
    found: dict[str, Use] = {}
    for kind in SYSTEMS.values():
        for mode, use in kind.uses.items():
            others = found[mode].options if mode in found else ()
            found[mode] = use._replace(options=tuple(dict.fromkeys((*others, *use.options))))
    return found


def use_of(config: ConfigDict | Mapping[str, Any], mode: str) -> Use:
    """What a mode does with a finished run of a config.

    Raises:
      ValueError: a run of its kind cannot be used so.
    """
    there = kind_of(config).uses
    if mode not in there:
        others = ", ".join(other for other in uses() if other != mode)
        able = f"; it can {', '.join(there)}" if there else f", nor {others}"
        raise ValueError(f"--mode={mode}: a run of {config['system']!r} cannot do that{able}")
    return there[mode]


def _find(system: Any) -> Kind:
    if system not in SYSTEMS:
        raise ValueError(
            f"system: {system!r} is not allowed; it must be one of {', '.join(SYSTEMS)}"
        )
    return SYSTEMS[system]
