import jax
import numpy as np
import pytest

from icm_jax import default_config
from icm_jax.systems.counterfactual.generation.state import init_state, make_networks

torch = pytest.importorskip("torch")

from benchmarks import torch_generator  # noqa: E402


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def _values(network):
    """All parameters as one vector."""
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_parameters_are_as_many_as_ours():
    networks = make_networks(default_config("counterfactual"), 10, 32)
    state = jax.eval_shape(lambda key: init_state(networks, 32, key), jax.random.key(0))
    for player, network in zip(
        (state.generator, state.discriminator),
        (torch_generator.Generator(), torch_generator.Discriminator()),
        strict=True,
    ):
        ours = sum(leaf.size for leaf in jax.tree.leaves(player.variables["params"]))
        assert size(network) == ours


def test_a_step_moves_both_players_and_not_vgg():
    loop = torch_generator.Loop(torch_generator.Losses(), "cpu")
    networks = loop.generator, loop.discriminator, loop._vgg
    before = [_values(network) for network in networks]
    labels = torch.tensor([3, 1])
    images = torch.rand(2, 3, 32, 32)
    loss = loop.step(torch_generator.Batch(images, labels, torch.randn(2, 32), labels))
    assert np.isfinite(loss) and loss > 0
    moved = [
        bool((_values(network) != old).any()) for network, old in zip(networks, before, strict=True)
    ]
    assert moved == [True, True, False]
