"""What the config of any system is made of and checked by.

A system's own config file (`icm_jax/systems/icm/config.py`, ...) has its defaults, its
rules and its schemas.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from icm_jax.data import SOURCES
from icm_jax.networks.compute import CONVOLUTIONS, PRECISIONS

# What a value must be, in words and as a function.
Allowed = tuple[str, Callable[[Any], bool]]


class Schema(NamedTuple):
    """How a system's config is checked.

    Attributes:
      defaults: the config with all fields.
      rules: (field, what is allowed) of this system alone; see `SHARED_RULES`.
      check: raises ValueError for values that do not go together.
    """

    defaults: Callable[[], ConfigDict]
    rules: tuple[tuple[str, Allowed], ...]
    check: Callable[[ConfigDict], None]


def with_shared(system: str, own: Mapping[str, Any]) -> ConfigDict:
    """The defaults of a system: the fields of all systems, and its own over them."""
    config = ConfigDict(
        {
            "system": system,
            "seed": 0,
            "replicas": 1,  # seeds trained at once: seed, seed + 1, ...
            "precision": "float32",  # float32 | tf32 | bfloat16: see icm_jax.networks.compute
            "convolution": "auto",  # see icm_jax.networks.convolution
            "data": {
                "source": "bundled",  # bundled | tfds | folder | faces
                "name": "mnist",  # of the data set: see icm_jax.data.sources
                "dir": "",  # of the TFDS or image folder, or a zip of images
                "size": 0,  # resize images to this side; 0 leaves them
                "invert": False,  # images dark on bright become bright on dark, as MNIST is
                # Drawings made as MNIST's digits were: see icm_jax.data.drawings.
                "thicken": 0,  # pixels of the neighbourhood lines spread over, before resizing
                "box": 0,  # pixels of the longer side of the ink within `size`; 0 crops nothing
            },
            "log": {"every": 10},
            "checkpoint": {"every": 100, "keep": 3},
        }
    )
    config.update(own)
    return config


def validate(config: ConfigDict, schema: Schema) -> None:
    """Refuses a config that cannot run.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    _check_fields(config, schema.defaults(), "")
    for field, rule in SHARED_RULES + schema.rules:
        _check_rule(field, _get(config, field), rule)
    if config.seed + config.replicas > 2**32:
        raise ValueError(
            f"replicas: {config.replicas} seeds from {config.seed} on exceed 2**32 - 1"
        )
    schema.check(config)


def check_settings(
    settings: ConfigDict, rules: Mapping[str, Allowed], groups: Mapping[str, Schema] | None = None
) -> None:
    """Refuses settings of an examination that cannot be used.

    Args:
      settings: `kind` and the fields that `rules` and `groups` name.
      rules: field -> what is allowed.
      groups: field -> a system, of whose config it is the group of that name.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    groups = groups or {}
    fields = ["kind", *rules, *groups]
    for name in settings:
        if name not in fields:
            raise ValueError(f"{name}: no such field; the fields are {', '.join(fields)}")
    for name in fields:
        if name not in settings:
            raise ValueError(f"{name}: missing; the fields are {', '.join(fields)}")
    for name, rule in rules.items():
        _check_rule(name, settings[name], rule)
    for name, schema in groups.items():
        _check_fields(settings[name], schema.defaults()[name], f"{name}.")
        for field, rule in SHARED_RULES + schema.rules:
            if field.startswith(f"{name}."):
                _check_rule(field, _get(settings, field), rule)


def _check_rule(field: str, value: Any, rule: Allowed) -> None:
    allowed, holds = rule
    try:
        held = holds(value)
    except TypeError:  # of another type altogether
        held = False
    if not held:
        raise ValueError(f"{field}: {value!r} is not allowed; it must be {allowed}")


def _check_fields(config: ConfigDict, known: ConfigDict, prefix: str) -> None:
    for name in known:
        if name not in config:
            raise ValueError(f"{prefix}{name}: missing; see icm_jax.default_config for its default")
    for name, value in config.items():
        field = prefix + name
        if name not in known:
            raise ValueError(f"{field}: no such field; the fields are {', '.join(known)}")
        expected = known[name]
        if isinstance(expected, ConfigDict):
            if not isinstance(value, ConfigDict):
                raise ValueError(f"{field}: {value!r} is not a group of fields")
            _check_fields(value, expected, f"{field}.")
        elif not _same_type(value, expected):
            raise ValueError(f"{field}: {value!r} is not a {type(expected).__name__}")


def _same_type(value: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return isinstance(value, tuple | list)
    if isinstance(expected, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(expected)


def _get(config: ConfigDict, field: str) -> Any:
    for name in field.split("."):
        config = config[name]
    return config


def at_least(low: float) -> Allowed:
    """From `low` on."""
    return f"at least {low}", lambda value: value >= low


def positive() -> Allowed:
    """Above 0."""
    return "above 0", lambda value: value > 0


def one_of(names) -> Allowed:
    """One of some names."""
    return f"one of {', '.join(names)}", lambda value: value in names


def fraction() -> Allowed:
    """A share that is not all."""
    return "at least 0 and below 1", lambda value: 0 <= value < 1


SHARED_RULES: tuple[tuple[str, Allowed], ...] = (
    ("seed", ("from 0 to 2**32 - 1", lambda seed: 0 <= seed < 2**32)),
    ("replicas", at_least(1)),
    ("precision", one_of(PRECISIONS)),
    ("convolution", one_of(CONVOLUTIONS)),
    ("data.source", one_of(tuple(SOURCES))),
    ("data.size", at_least(0)),
    ("data.thicken", at_least(0)),
    ("data.box", at_least(0)),
    ("log.every", at_least(1)),
    ("evaluation.every", at_least(1)),
    ("checkpoint.every", at_least(1)),
    ("checkpoint.keep", at_least(1)),
)
