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
