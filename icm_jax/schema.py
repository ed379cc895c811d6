"""What the config of any system is made of and checked by: a field is written once.

A field's default, rule and description stand side by side in a `Field`. Nested dicts of them are
the fields of a system (`icm_jax/systems/icm/config.py`, ...) or of an examination's settings.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, Union

from ml_collections import ConfigDict

from icm_jax.data import SOURCES
from icm_jax.networks.compute import CONVOLUTIONS, PRECISIONS

# What a value of the default's type must be, in words and as a function.
Allowed = tuple[str, Callable[[Any], bool]]


class Field(NamedTuple):
    """A field of a config.

    Attributes:
      default: its value where nothing else is said; other values are of the same type.
      allowed: its rule. That of a tuple looks at the types in it; the type itself is checked.
      text: one line of description, with the unit of the value.
      of: who alone uses it: values of a `kind`, `method`, `source`, ...; all where empty.
    """

    default: Any
    allowed: Allowed
    text: str
    of: tuple[str, ...] = ()


# A group of fields: name -> a field, or another group.
Fields = Mapping[str, Union[Field, "Fields"]]


class Schema(NamedTuple):
    """The fields of a system's config, or of an examination's settings.

    Attributes:
      fields: all of them.
      check: raises ValueError for values that do not go together.
    """

    fields: Fields
    check: Callable[[ConfigDict], None] = lambda config: None

    def defaults(self) -> ConfigDict:
        """The config with the default of every field."""
        return ConfigDict(_defaults(self.fields))


class Row(NamedTuple):
    """A field in a table: its dotted name, its default, what is allowed and what it is."""

    name: str
    default: Any
    allowed: str
    text: str


def describe_fields(schema: Schema) -> list[Row]:
    """All fields, in the order in which they are written."""
    return list(_rows(schema.fields, ""))


def validate(config: ConfigDict, schema: Schema) -> None:
    """Refuses a config that cannot run.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    _check_group(config, schema.fields, "")
    if config.seed + config.replicas > 2**32:
        raise ValueError(
            f"replicas: {config.replicas} seeds from {config.seed} on exceed 2**32 - 1"
        )
    schema.check(config)


def check_settings(settings: ConfigDict, schema: Schema) -> None:
    """Refuses settings of an examination that cannot be used.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    _check_group(settings, schema.fields, "")
    schema.check(settings)


def intervals(log: int, checkpoint: int) -> Fields:
    """The fields `log.every` and `checkpoint.every` with other defaults, steps."""
    defaults = {"log": log, "checkpoint": checkpoint}
    return {
        name: {"every": SHARED[name]["every"]._replace(default=steps)}
        for name, steps in defaults.items()
    }


def with_shared(system: str, own: Fields, without: Collection[str] = ()) -> Fields:
    """The fields of a system: those of all systems, and its own with or in place of them.

    Args:
      system: its name.
      own: its own fields.
      without: names in `SHARED` that mean nothing to it, as images to a system of tables.
    """
    name = Field(system, one_of((system,)), "what is trained: each system has its own fields")
    shared = {name: field for name, field in SHARED.items() if name not in without}
    return _merged({"system": name, **shared}, own)


def _defaults(fields: Fields) -> dict[str, Any]:
    return {
        name: field.default if isinstance(field, Field) else _defaults(field)
        for name, field in fields.items()
    }


def _merged(fields: Fields, others: Fields) -> Fields:
    merged = dict(fields)
    for name, field in others.items():
        both_groups = isinstance(field, dict) and name in fields
        merged[name] = _merged(fields[name], field) if both_groups else field
    return merged


def _rows(fields: Fields, prefix: str) -> Iterator[Row]:
    for name, field in fields.items():
        if isinstance(field, Field):
            text = f"{', '.join(field.of)}: {field.text}" if field.of else field.text
            yield Row(prefix + name, field.default, _whole_rule(field), text)
        else:
            yield from _rows(field, f"{prefix}{name}.")


def _check_group(config: ConfigDict, fields: Fields, prefix: str) -> None:
    """Checks all of a group: its names first, so that a misspelt one is found as such."""
    for name in config:
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise ValueError(f"{prefix}{name}: no such field; the fields are {known}")
    missing = [name for name in fields if name not in config]
    if missing:
        raise ValueError(
            "; ".join(f"{prefix}{name}: missing; {_instead(fields[name])}" for name in missing)
        )
    for name, field in fields.items():
        if isinstance(field, Field):
            _check_value(prefix + name, config[name], field)
        elif isinstance(config[name], ConfigDict):
            _check_group(config[name], field, f"{prefix}{name}.")
        else:
            raise ValueError(
                f"{prefix}{name}: {config[name]!r} is not allowed; it must be a group of the "
                f"fields {', '.join(sorted(field))}"
            )


def _instead(field: Field | Fields) -> str:
    if isinstance(field, Field):
        return f"its default is {field.default!r}"
    return f"its fields are {', '.join(sorted(field))}"


def _check_value(name: str, value: Any, field: Field) -> None:
    words, holds = field.allowed
    if not _same_type(value, field.default):
        words = _whole_rule(field)
    elif holds(value):
        return
    elif _is_too_large(value) and words.startswith("at least"):
        words += " and below 2**31"
    raise ValueError(f"{name}: {value!r} is not allowed; it must be {words}")


def _same_type(value: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return isinstance(value, tuple | list)
    if isinstance(expected, float):
        return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)
    return type(value) is type(expected)


def _whole_rule(field: Field) -> str:
    """What is allowed, in words that say the type too: those of the other types do so anyway."""
    kind = {int: "a whole number, ", float: "a number, "}.get(type(field.default), "")
    return kind + field.allowed[0]


def at_least(low: float) -> Allowed:
    """From `low` on; whole numbers have 32 bits."""
    return f"at least {low}", lambda value: low <= value and not _is_too_large(value)


def _is_too_large(value: float) -> bool:
    return type(value) is int and value >= 2**31


def positive() -> Allowed:
    """Above 0."""
    return "above 0", lambda value: value > 0


def one_of(names) -> Allowed:
    """One of some names."""
    return f"one of {', '.join(name or repr(name) for name in names)}", lambda value: value in names


def fraction() -> Allowed:
    """A share that is not all."""
    return "at least 0 and below 1", lambda value: 0 <= value < 1


def share() -> Allowed:
    """A share that may be all."""
    return "from 0 to 1", lambda value: 0 <= value <= 1


def any_text() -> Allowed:
    """Any text."""
    return "text", lambda value: True


def switch() -> Allowed:
    """On or off."""
    return "True or False", lambda value: True


def is_share(value: Any) -> bool:
    """Whether a value in a tuple is a number from 0 to 1."""
    return type(value) in (int, float) and 0 <= value <= 1


def is_label(value: Any) -> bool:
    """Whether a value in a tuple is a whole number from 0 on."""
    return type(value) is int and value >= 0


def tuple_of(words: str, holds: Callable[[Any], bool]) -> Allowed:
    """A tuple, which may be empty, of what `words` say and `holds` takes."""
    return f"a tuple of {words}", lambda values: all(holds(value) for value in values)


SHARED: dict[str, Any] = {
    "seed": Field(
        0,
        ("from 0 to 2**32 - 1", lambda seed: 0 <= seed < 2**32),
        "all randomness comes from it and from the step",
    ),
    "replicas": Field(1, at_least(1), "seeds trained at once: seed, seed + 1, ..."),
    "precision": Field(
        "float32",
        one_of(PRECISIONS),
        "format of activations and products; parameters are float32 (icm_jax.networks.compute)",
    ),
    "convolution": Field(
        "auto",
        one_of(CONVOLUTIONS),
        "how convolutions run under vmap; auto: by platform (icm_jax.networks.convolution)",
    ),
    "data": {
        "source": Field("bundled", one_of(SOURCES), "where images come from"),
        "name": Field(
            "mnist",
            any_text(),
            "data set: mnist and orl are bundled; those of faces are in icm_jax.data.faces",
            of=("bundled", "tfds", "faces"),
        ),
        "dir": Field(
            "",
            any_text(),
            "folder or zip of images, or of data sets that TFDS prepared; '' for its own folder",
            of=("tfds", "folder", "faces"),
        ),
        "size": Field(0, at_least(0), "pixels a side to which images are resized; 0 leaves them"),
        "invert": Field(
            False, switch(), "images dark on bright become bright on dark, as MNIST is"
        ),
        "thicken": Field(
            0,
            at_least(0),
            "pixels of the neighbourhood that lines of drawings spread over, before resizing; "
            "0 leaves them (icm_jax.data.drawings)",
        ),
        "box": Field(
            0,
            at_least(0),
            "pixels of the longer side of the ink of drawings, at most data.size; 0 crops nothing",
        ),
    },
    "log": {"every": Field(10, at_least(1), "steps between records of the metrics")},
    "checkpoint": {
        "every": Field(100, at_least(1), "steps between checkpoints"),
        "keep": Field(3, at_least(1), "checkpoints that are kept, the newest"),
    },
}
