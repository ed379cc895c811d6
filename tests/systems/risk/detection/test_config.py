"""The config of the detector."""

import pytest
from systems.risk.detection import tiny

from icm_jax.systems import registry
from icm_jax.systems.risk.detection.config import METHODS, world_and_method
from icm_jax.systems.risk.worlds import WORLDS


@pytest.mark.parametrize(
    ("choice", "fields"),
    [
        ("", {}),
        ("noise", {"world": {"name": "noise"}}),
        ("oracle", {"resampling": {"by": "group"}}),
        ("density", {"world": {"name": "density"}}),
        ("plain,density", {"world": {"name": "plain"}, "resampling": {"by": "density"}}),
    ],
)
def test_an_argument_names_a_world_and_a_method(choice, fields):
    assert world_and_method(choice) == fields


@pytest.mark.parametrize("choice", ["faces", "oracle,conflict", "conflict,erm,erm", "erm,noise"])
def test_other_arguments_are_refused(choice):
    with pytest.raises(ValueError, match=f"config: '{choice}' is not allowed; it must be one wor"):
        world_and_method(choice)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("method", METHODS)
def test_all_worlds_and_methods_can_run(world, method):
    registry.validate(tiny.risk_faces(f"{world},{method}"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("data.invert", True, "data.invert: True is not allowed; faces are taken as they are"),
        ("data.box", 20, "data.box: 20 is not allowed; faces are taken as they are, with 0"),
        ("batch_size", 7, "batch_size: 7 is not allowed; it must be even"),
        ("data.size", 40, "data.size: 40 is not allowed; it must be a multiple of 32"),
        ("model.density", "", "model.density: '' is not allowed; resampling.by 'both' needs one"),
        ("model.dropout", 0.0, "resampling.by: 'both' is not allowed; it needs model.dropout with"),
        ("model.passes", 1, "resampling.by: 'both' is not allowed; .* several model.passes"),
        ("resampling.by", "group", "cleaning.share: 0.2 is not allowed with resampling.by 'group'"),
        ("model.neighbours", 21, "model.neighbours: 21 is not allowed; model.bank holds 20"),
        ("world.rates", (2.0,), "world.rates: .2.0,. is not allowed"),
    ],
)
def test_what_cannot_be_is_refused(field, value, message):
    config = tiny.risk_faces("conflict,both")
    config.cleaning.share = 0.2
    with config.unlocked():
        config.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=message):
        registry.validate(config)
