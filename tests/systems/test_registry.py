import pytest
from ml_collections import ConfigDict

from icm_jax.systems import registry


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_defaults_are_valid_and_of_their_system(system):
    config = registry.default_config(system)
    assert config.system == system
    registry.validate(config)


def test_a_system_that_there_is_not_is_refused_with_those_that_there_are():
    config = registry.default_config("icm")
    config.system = "gan"
    with pytest.raises(ValueError, match="system: 'gan' is not allowed; .* one of icm, oracle"):
        registry.validate(config)
    with pytest.raises(ValueError, match="system: 'gan' is not allowed; .* one of icm, oracle"):
        registry.default_config("gan")
    with pytest.raises(ValueError, match="system: None is not allowed"):
        registry.validate(ConfigDict({}))


def test_kinds_that_have_a_mode_agree_on_what_it_takes():
    modes = {mode: (use.takes_input, *use.options) for mode, use in registry.uses().items()}
    assert modes == {
        "restore": (True,),
        "export": (False,),
        "predict": (True,),
        "generate": (False, "labels", "count", "seed", "truncation"),
        "stylize": (True, "seed"),
    }
    for kind in registry.SYSTEMS.values():
        for mode, use in kind.uses.items():
            takes_input, *options = modes[mode]
            assert use.takes_input == takes_input and set(use.options) <= set(options)


def test_a_mode_that_a_run_cannot_be_used_by_is_refused():
    with pytest.raises(ValueError, match="^--mode=predict: a run of 'icm' .*; it can restore, exp"):
        registry.use_of({"system": "icm"}, "predict")
    said = "^--mode=export: a run of 'oracle' cannot do that, nor restore, predict, gen"
    with pytest.raises(ValueError, match=said):
        registry.use_of({"system": "oracle"}, "export")
