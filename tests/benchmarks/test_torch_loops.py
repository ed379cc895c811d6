import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import default_config
from icm_jax.systems.icm import competition
from icm_jax.systems.icm.evaluation import score_all
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
    # Copies: a step changes them.
    return {"params": jax.tree.map(jnp.array, torch_networks.to_flax(network))}


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


def test_a_step_of_initialization_leaves_images_more_alone(batch):
    loop = torch_loops.Best(2, 1, 28, "cpu", compiles=False, alike=False)
    first = loop.reproduce(batch[0])
    made = [expert(batch[0]) for expert in loop.experts]
    now = loop.reproduce(batch[0])
    torch.testing.assert_close(now, torch.stack([(m - batch[0]).square().mean() for m in made]))
    assert (now < first).all() and not torch.equal(*now)


def test_a_loops_state_restores_as_the_loop_does(batch):
    from benchmarks import torch_run

    loop = torch_loops.Best(2, 1, 28, "cpu", compiles=False, alike=False)
    model = make_model(torch_run.of_paper(default_config("icm")))
    images = jnp.array(batch[0].permute(0, 2, 3, 1).numpy())
    state = torch_run.state_of(loop, model, images)
    outputs, scores = jax.jit(score_all, static_argnums=0)(model, state, images)
    with torch.no_grad():
        expected = torch.stack([expert(batch[0]) for expert in loop.experts])
        logits = loop.discriminator(expected.flatten(0, 1)).view(2, -1)
    np.testing.assert_allclose(outputs, expected.permute(0, 1, 3, 4, 2), atol=1e-5)
    np.testing.assert_allclose(scores, logits, atol=1e-4)
