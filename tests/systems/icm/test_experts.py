"""Every kind of expert under the competition: the same gradients, steps and uses as the paper's."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax.networks.compute import Compute
from icm_jax.systems.icm import competition, restore
from icm_jax.systems.icm.competition import KeyedImages
from icm_jax.systems.icm.evaluation import score_all
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.networks.experts import PENALTY
from icm_jax.systems.icm.networks.registry import EXPERTS
from icm_jax.systems.icm.state import init
from icm_jax.systems.icm.steps import Batch, Pairs, Schedule, competition_step, reproduction_step

COUNT, BATCH = 3, 3
WINNER = [2, 0, 0]
VAE = pytest.mark.parametrize("setting", ["vae"], indirect=True)
KINDS = ("conv", "residual", "vae")
KEEP = {"conv": 0.0, "residual": 7.0, "vae": 7.0}


@pytest.fixture(scope="module", autouse=True)
def narrow_vae():
    """The VAE that a config names, of few layers and filters."""

    def make(*arguments, wide=EXPERTS["vae"]):
        return wide(*arguments).clone(encoder=(4,), decoder=(6, 5, 4))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXPERTS, "vae", make)
        yield


def config(kind):
    c = tiny.icm()
    c.experts.kind, c.experts.latent = kind, 3
    c.experts.beta = 30.0  # so that the penalty counts beside the loss
    c.competition.loss, c.competition.keep = "squared", KEEP[kind]
    return c


@pytest.fixture(scope="module", params=KINDS)
def setting(request, narrow_vae):
    """(model, state, images, keys) of three experts of a kind, on RGB images of odd sides."""
    model = make_model(config(request.param))
    images = jax.random.uniform(jax.random.key(1), (BATCH, 7, 7, 3))
    make_state = functools.partial(init, model, COUNT, images[:1])
    state = jax.jit(make_state)(jax.random.key(0))
    return model, state, images, jax.random.split(jax.random.key(2), BATCH)


@pytest.fixture(scope="module")
def plain(setting):
    """A plain loop over experts: outputs [E, B, ...], penalties [E, B], those of the network and
    all that a winner pays, and gradients for `WINNER`."""
    model, state, images, keys = setting
    changed = ["batch_stats", PENALTY]

    def make(params):
        made, updates = model.expert.apply(
            {"params": params}, images, "batch", keys, mutable=changed
        )
        return made, sum(jax.tree.leaves(updates.get(PENALTY)), jnp.zeros(BATCH))

    def loss(params):
        outputs, own = jax.lax.map(make, params)  # one expert after another
        penalties = own + model.keep * ((outputs - images[None]) ** 2).mean(axis=(2, 3, 4))
        logits = model.logits(state.discriminator.params, outputs)
        won = jnp.array(WINNER)[None] == jnp.arange(COUNT)[:, None]
        losses = won * (jax.nn.sigmoid(-logits) ** 2 + penalties)
        means = losses.sum(axis=1) / jnp.maximum(won.sum(axis=1), 1)
        return means.sum(), (outputs, own, penalties)

    gradients, made = jax.jit(jax.grad(loss, has_aux=True))(state.experts.params)
    return *made, gradients


def one(tree, e):
    return jax.tree.map(lambda t: t[e], tree)


@pytest.mark.parametrize("masked", [True, False])
def test_masked_and_gathered_are_the_gradient_of_a_plain_loop(setting, plain, masked):
    model, state, images, keys = setting
    outputs, _, penalties, expected = plain
    score = functools.partial(model.logits, state.discriminator.params)
    wins = competition.winners(jax.nn.one_hot(jnp.array(WINNER), COUNT, axis=0))

    @jax.jit
    def compute(params):
        batch = KeyedImages(images, keys)
        made, _, of_winners = model.competing(params, batch, None if masked else batch)
        return made, of_winners(score, wins)

    made, gradients = compute(state.experts.params)
    chex.assert_trees_all_close(made.outputs, outputs, atol=1e-5)
    assert (made.penalties is None) == (not penalties.any())
    if made.penalties is not None:
        chex.assert_trees_all_close(made.penalties, penalties, rtol=1e-4)
    for expert in range(COUNT):
        largest = max(float(jnp.abs(g).max()) for g in jax.tree.leaves(one(gradients, expert)))
        assert (largest > 0) == (expert in WINNER)
    # Against the largest gradient: a bias that batch norm cancels has rounding errors alone.
    largest = max(float(jnp.abs(g).max()) for g in jax.tree.leaves(expected))
    chex.assert_trees_all_close(gradients, expected, rtol=2e-3, atol=2e-5 * largest)


@VAE
def test_a_vaes_reproduction_error_and_penalty_are_those_of_a_plain_loop(setting, plain):
    model, state, images, keys = setting
    outputs, penalties, *_ = plain
    step = functools.partial(reproduction_step, model, schedule=Schedule(0.9))
    metrics = jax.jit(lambda *args: step(*args)[1])(state, Pairs(images, 1 - images, keys))
    errors = ((outputs - (1 - images)[None]) ** 2).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(metrics["reproduction_error"].total, errors, rtol=1e-4)
    np.testing.assert_allclose(metrics["penalty"].total, penalties.mean(axis=1), rtol=1e-4)


def test_a_winner_pays_loss_and_penalty(setting, plain):
    model, state, images, keys = setting
    outputs, _, penalties, _ = plain
    step = functools.partial(competition_step, model, schedule=Schedule(0.9))
    batch = Batch(KeyedImages(images, keys), images)
    metrics = jax.jit(lambda *args: step(*args)[1])(state, batch)
    scores = np.asarray(model.logits(state.discriminator.params, outputs))
    losses = (1 / (1 + np.exp(scores))) ** 2 + penalties
    paid = losses * (scores.argmax(axis=0) == np.arange(COUNT)[:, None])
    np.testing.assert_allclose(metrics["expert_loss"].total, paid.sum(axis=1), rtol=1e-4)


def test_experts_one_by_one_as_on_a_cpu_and_at_once_as_elsewhere(setting):
    model, state, images, keys = setting
    own = jnp.stack([images * share for share in (1.0, 0.7, 0.4)])

    def made(platform):
        here = model._replace(expert=model.expert.clone(compute=Compute(platform=platform)))
        text = str(jax.make_jaxpr(here.scoring_pass)(state.experts.params, images, keys))
        scoring = jax.jit(here.scoring_pass)
        found = [scoring(state.experts.params, x, keys) for x in (images, own)]
        return found, "([0], [0]))" in text  # a matrix product with an axis of experts

    (one_by_one, joined), (at_once, joined_at_once) = made("cpu"), made("gpu")
    assert joined_at_once and not joined
    chex.assert_trees_all_close(one_by_one, at_once, atol=1e-5)


def test_a_trained_model_makes_the_same_of_the_same_images_anywhere(setting, tmp_path):
    model, state, images, _ = setting
    # Of a batch: those of the one image that it was made with may have no variance.
    _, statistics = jax.jit(model.scoring_pass)(state.experts.params, images)
    state = state._replace(experts=state.experts._replace(statistics=statistics))
    numbers = np.arange(COUNT, dtype=np.int32)
    first, again = (restore.apply(model, state, numbers, images) for _ in range(2))
    chex.assert_trees_all_equal(first, again)
    outputs, scores = jax.jit(score_all, static_argnums=0)(model, state, images)
    winner = scores.argmax(axis=0)
    chex.assert_trees_all_equal(first.expert, winner)
    chex.assert_trees_all_close(first.images, outputs[winner, jnp.arange(BATCH)], atol=1e-5)

    shape = images.shape[1:]
    restorer = restore.Restorer(model, state, numbers, shape, shape, ("noise",) * len(numbers))
    restore.export(restorer, tmp_path / "model.jax")
    exported = jax.export.deserialize((tmp_path / "model.jax").read_bytes())
    found = exported.call(images[:2])
    chex.assert_trees_all_close(found, tuple(one(first, slice(2))), atol=1e-5)


@pytest.mark.slow
def test_the_steps_of_a_vae_trace_once_and_draw_the_same_on_four_devices():
    c, splits = config("vae"), tiny.splits()
    c.batch_size, c.competition.reference, c.competition.restart.every = 4, 2, 0
    alone, shared = tiny.build_icm(c, splits), tiny.build_icm(c, splits, "devices")
    data = jax.tree.map(jnp.asarray, alone.given)
    state = jax.jit(alone.init)(jax.random.key(0))
    for phase, phase_of_four in zip(alone.phases, shared.phases, strict=True):
        chex.clear_trace_counter()  # it counts by line, and this one is of both phases
        # Without the state after a step, which nobody looks at, there is less to compile.
        step = jax.jit(chex.assert_max_traces(lambda *args: phase.step(*args)[1], n=1))  # noqa: B023
        metrics, again = (step(state, data, jax.random.key(0)) for _ in range(2))
        chex.assert_trees_all_equal(metrics, again)
        of_four = jax.vmap(
            lambda _: phase_of_four.step(state, data, jax.random.key(0))[1],  # noqa: B023
            axis_name="devices",
        )
        chex.assert_trees_all_close(
            one(jax.jit(of_four)(jnp.arange(4)), 0), metrics, rtol=1e-3, atol=1e-5
        )
