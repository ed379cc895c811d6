import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import default_config
from icm_jax.systems.icm import competition
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.networks.experts import ConvExpert

torch = pytest.importorskip("torch")

from benchmarks import torch_loops, torch_networks  # noqa: E402


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_are_those_of_the_papers_tables():
    assert size(torch_networks.expert()) == 28_609
    assert size(torch_networks.discriminator()) == 665_985


def flax_params(network):
    """The parameters of a PyTorch network as the Flax module of the same layers has them."""
    params, pixels = {}, None
    for layer in network:
        kind = {"Conv2d": "Conv", "BatchNorm2d": "BatchNorm", "Linear": "Dense"}.get(
            type(layer).__name__
        )
        if kind is None:
            continue
        weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
        if kind == "Conv":
            leaves, pixels = {"kernel": weight.transpose(2, 3, 1, 0), "bias": bias}, 9
        elif kind == "BatchNorm":
            leaves = {"scale": weight, "bias": bias}
        else:
            if pixels:  # Flax flattens H, W, C, PyTorch C, H, W
                channels = weight.shape[1] // pixels
                weight = weight.reshape(-1, channels, pixels).swapaxes(1, 2)
                weight, pixels = weight.reshape(len(weight), -1), None
            leaves = {"kernel": weight.T, "bias": bias}
        index = sum(name.startswith(f"{kind}_") for name in params)
        params[f"{kind}_{index}"] = jax.tree.map(jnp.array, leaves)  # copies: a step changes them
    return {"params": params}


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.rand(2, 6, 1, 28, 28)


def test_one_plain_step_is_that_of_the_masked_mathematics(batch):
    loop = torch_loops.Plain(3, 1, 28, "cpu")
    experts = [flax_params(expert) for expert in loop.experts]
    judge = flax_params(loop.discriminator)
    loss, winner = loop.step(*batch)

    transformed, canonical = (jnp.array(images.permute(0, 2, 3, 1).numpy()) for images in batch)
    network = ConvExpert()

    def forward(expert):
        return network.apply(expert, transformed, mutable=["batch_stats"])[0]

    outputs = jnp.stack([forward(expert) for expert in experts])
    logits = make_model(default_config("icm")).logits
    expected_loss, scores, *_ = competition.discriminator_gradient(
        logits, judge["params"], outputs, canonical
    )
    expected = competition.winners(scores).winner
    np.testing.assert_array_equal(winner.numpy(), expected)
    np.testing.assert_allclose(loss.item(), expected_loss, atol=1e-4)


def test_the_best_loop_scores_as_the_plain_one_does(batch):
    plain = torch_loops.Plain(3, 1, 28, "cpu")
    best = torch_loops.Best(3, 1, 28, "cpu", compiles=False)
    for mine, its in zip(best.experts, plain.experts, strict=True):
        mine.load_state_dict(its.state_dict())
    best.discriminator.load_state_dict(plain.discriminator.state_dict())
    (loss, winner), (other_loss, other_winner) = plain.step(*batch), best.step(*batch)
    assert torch.equal(winner, other_winner)
    torch.testing.assert_close(loss, other_loss, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        plain.discriminator.state_dict(), best.discriminator.state_dict(), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("kind", ["plain", "best"])
def test_losers_keep_their_parameters_and_winners_learn(kind, batch):
    loop = torch_loops.Plain(4, 1, 28, "cpu")
    if kind == "best":
        loop = torch_loops.Best(4, 1, 28, "cpu", compiles=False)
    before = copy.deepcopy([expert.state_dict() for expert in loop.experts])
    _, winner = loop.step(*batch)
    for index, (expert, old) in enumerate(zip(loop.experts, before, strict=True)):
        changed = any(not torch.equal(new, old[k]) for k, new in expert.state_dict().items())
        assert changed == (index in winner)
