import math
import re

import pytest
from ml_collections import ConfigDict

from icm_jax import schema
from icm_jax.schema import Field, Schema
from icm_jax.systems.registry import SYSTEMS

FIELDS = {
    "count": Field(3, schema.at_least(1), "how many"),
    "rate": Field(0.5, schema.positive(), "how fast"),
    "kind": Field("square", schema.one_of(("", "square")), "of what shape"),
    "name": Field("", schema.any_text(), "of whatever"),
    "filled": Field(True, schema.switch(), "or empty"),
    "inside": {
        "sides": Field(
            (1, 2),
            schema.tuple_of("whole numbers", lambda v: type(v) is int),
            "in pixels",
            of=("square", "cube"),
        ),
    },
}


def few_squares(config):
    if config.kind == "square" and config.count > 9:
        raise ValueError(f"count: {config.count} squares are too many")


SHAPES = Schema(FIELDS, few_squares)


def changed(**values):
    config = SHAPES.defaults()
    for name, value in values.items():
        config = ConfigDict(config.to_dict() | {name: value})
    return config


def test_defaults_are_those_of_the_fields():
    assert SHAPES.defaults().to_dict() == {
        **{"count": 3, "rate": 0.5, "kind": "square", "name": "", "filled": True},
        "inside": {"sides": (1, 2)},
    }
    schema.check_settings(SHAPES.defaults(), SHAPES)


def test_fields_are_described_in_their_order():
    assert schema.describe_fields(SHAPES) == [
        ("count", 3, "a whole number, at least 1", "how many"),
        ("rate", 0.5, "a number, above 0", "how fast"),
        ("kind", "square", "one of '', square", "of what shape"),
        ("name", "", "text", "of whatever"),
        ("filled", True, "True or False", "or empty"),
        ("inside.sides", (1, 2), "a tuple of whole numbers", "square, cube: in pixels"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", 0, "count: 0 is not allowed; it must be at least 1"),
        ("count", 2**31, "count: 2147483648 is not allowed; it must be at least 1 and below 2**31"),
        ("count", "ten", "count: 'ten' is not allowed; it must be a whole number, at least 1"),
        ("count", 1.0, "count: 1.0 is not allowed; it must be a whole number, at least 1"),
        ("count", True, "count: True is not allowed; it must be a whole number, at least 1"),
        ("count", None, "count: None is not allowed; it must be a whole number, at least 1"),
        ("rate", 0, "rate: 0 is not allowed; it must be above 0"),
        ("rate", math.inf, "rate: inf is not allowed; it must be a number, above 0"),
        ("rate", "1", "rate: '1' is not allowed; it must be a number, above 0"),
        ("rate", False, "rate: False is not allowed; it must be a number, above 0"),
        ("kind", "disc", "kind: 'disc' is not allowed; it must be one of '', square"),
        ("kind", 4, "kind: 4 is not allowed; it must be one of '', square"),
        ("name", 4, "name: 4 is not allowed; it must be text"),
        ("filled", 1, "filled: 1 is not allowed; it must be True or False"),
        ("inside", 4, "inside: 4 is not allowed; it must be a group of the fields sides"),
        (
            "inside",
            {"sides": 4},
            "inside.sides: 4 is not allowed; it must be a tuple of whole numbers",
        ),
        (
            "inside",
            {"sides": ("a",)},
            "inside.sides: ('a',) is not allowed; it must be a tuple of whole numbers",
        ),
        ("inside", {}, "inside.sides: missing; its default is (1, 2)"),
        ("inside", {"side": (1,)}, "inside.side: no such field; the fields are sides"),
        ("size", 4, "size: no such field; the fields are count, filled, inside, kind, name, rate"),
        ("count", 10, "count: 10 squares are too many"),
    ],
)
def test_a_bad_value_is_named_with_what_is_right(name, value, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        schema.check_settings(changed(**{name: value}), SHAPES)


def test_whole_numbers_and_lists_stand_for_numbers_and_tuples():
    schema.check_settings(changed(rate=1, inside={"sides": [1]}), SHAPES)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (schema.at_least(2), [2, 3, float("inf")], [1, float("nan")]),
        (schema.positive(), [1e-9], [0.0, -1.0, float("nan")]),
        (schema.fraction(), [0.0, 0.99], [1.0, -0.1, float("nan")]),
        (schema.share(), [0.0, 1.0], [1.01, -0.1, float("nan")]),
        (schema.one_of(("a", "b")), ["a", "b"], ["", "ab"]),
        (schema.tuple_of("ones", lambda v: v == 1), [(), (1, 1)], [(1, 2)]),
    ],
)
def test_rules_by_their_borders(rule, good, bad):
    _, holds = rule
    assert [holds(value) for value in good] == [True] * len(good)
    assert [holds(value) for value in bad] == [False] * len(bad)


def test_a_system_has_the_fields_of_all_systems_and_its_own_in_their_place():
    often = schema.SHARED["log"]["every"]._replace(default=7)
    own = Schema(schema.with_shared("shapes", {**FIELDS, "log": {"every": often}}))
    config = own.defaults()
    shared = Schema(schema.with_shared("shapes", {})).defaults()
    assert (config.system, config.log.every, shared.log.every) == ("shapes", 7, 10)
    assert set(config) == {*shared, *FIELDS}
    schema.validate(config, own)
    config.system = "icm"
    with pytest.raises(ValueError, match="system: 'icm' is not allowed; it must be one of shapes"):
        schema.validate(config, own)


def test_seeds_of_replicas_stay_in_range():
    own = Schema(schema.with_shared("shapes", {}))
    config = own.defaults()
    config.seed, config.replicas = 2**32 - 2, 2
    schema.validate(config, own)
    config.replicas = 3
    with pytest.raises(ValueError, match=r"replicas: 3 seeds from 4294967294 on exceed 2\*\*32"):
        schema.validate(config, own)


def test_a_system_checks_what_does_not_go_together():
    own = Schema(schema.with_shared("shapes", FIELDS), few_squares)
    config = own.defaults()
    config.count = 10
    with pytest.raises(ValueError, match="count: 10 squares are too many"):
        schema.validate(config, own)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_field_has_one_line_of_description(system):
    schemas = [SYSTEMS[system].schema]
    schemas += [examination.settings for examination in SYSTEMS[system].examinations.values()]
    for row in (row for each in schemas for row in schema.describe_fields(each)):
        assert len(row.text) > 5 and "\n" not in row.text and "|" not in row.text, row.name
        assert row.allowed and "|" not in row.allowed, row.name
