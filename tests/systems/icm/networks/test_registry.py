import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from systems.icm import tiny

from icm_jax.networks.compute import Compute
from icm_jax.systems.icm.config import SCHEMAS
from icm_jax.systems.icm.model import make_model
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


class Plain(nn.Module):
    """An expert of one's own, without batch norm."""

    compute: Compute

    @nn.compact
    def __call__(self, images, statistics="batch", keys=None):
        return nn.sigmoid(nn.Conv(images.shape[-1], (3, 3))(images))


def test_an_expert_of_ones_own_need_not_have_batch_norm(monkeypatch):
    monkeypatch.setitem(EXPERTS, "plain", lambda config, axis_name, compute: Plain(compute))
    config = tiny.icm()
    config.experts.kind = "plain"
    system = tiny.build_icm(config, tiny.splits())
    state = system.init(jax.random.key(0))
    shapes = jax.tree.map(jnp.shape, state.experts.params)
    assert shapes == {"Conv_0": {"kernel": (2, 3, 3, 1, 1), "bias": (2, 1)}}
    for phase in system.phases:
        after, _ = jax.eval_shape(phase.step, state, system.given, jax.random.key(1))
        chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    made = make_model(config).restore(
        tiny.take_expert(state.experts.params, 0), {}, jnp.zeros((2, 12, 12, 1))
    )
    assert made.shape == (2, 12, 12, 1)


def test_a_row_of_the_registry_is_what_the_model_has(monkeypatch):
    made = object()
    monkeypatch.setitem(EXPERTS, "new", lambda config, axis_name, compute: made)
    config = tiny.icm()
    config.experts.kind = "new"
    assert make_model(config).expert is made
