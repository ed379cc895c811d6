import pytest
from systems.icm import tiny

from icm_jax.networks.compute import Compute
from icm_jax.systems.icm import model
from icm_jax.systems.icm.config import SCHEMAS
from icm_jax.systems.icm.networks.registry import EXPERTS

# What is read elsewhere, whatever the kind.
COMMON = {"count", "prune", "kind", "learning_rate", "momentum", "average"}


class Reader:
    """A group of a config that remembers which of its fields are read."""

    def __init__(self, config):
        self.config, self.read = config, set()

    def __getattr__(self, name):
        self.read.add(name)
        return self.config[name]


@pytest.mark.parametrize("kind", EXPERTS)
def test_a_kind_of_experts_reads_the_fields_that_are_said_to_be_of_it(kind):
    reader = Reader(SCHEMAS["icm"].defaults().experts)
    EXPERTS[kind](reader, None, Compute())
    fields = SCHEMAS["icm"].fields["experts"]
    of_kind = {name for name, field in fields.items() if not field.of or kind in field.of}
    assert reader.read == of_kind - COMMON


def test_modules_are_made_of_the_configs_values():
    config = tiny.icm().experts
    config.filters, config.layers, config.patch, config.latent, config.beta = 5, 6, 7, 8, 9.0
    config.activation, config.output = "relu", "relu"
    compute = Compute("bfloat16")
    conv, residual, vae = (make(config, "devices", compute) for make in EXPERTS.values())
    assert (conv.filters, conv.layers) == (residual.filters, residual.layers) == (5, 6)
    assert (residual.patch, vae.latent, vae.beta) == (7, 8, 9.0)
    for module in (conv, residual, vae):
        assert module.activation.__name__ == "relu"
        assert (module.axis_name, module.compute) == ("devices", compute)
    assert conv.output.__name__ == vae.output.__name__ == "relu"


def test_a_row_of_the_registry_is_what_the_model_has(monkeypatch):
    made = object()
    monkeypatch.setitem(EXPERTS, "new", lambda config, axis_name, compute: made)
    config = tiny.icm()
    config.experts.kind = "new"
    assert model.make_model(config).expert is made
