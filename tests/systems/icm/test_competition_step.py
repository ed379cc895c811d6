import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny
from systems.icm.tiny import take_expert

from icm_jax.systems.icm import competition
from icm_jax.systems.icm.build import build_oracle
from icm_jax.systems.icm.competition import KeyedImages
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.state import init
from icm_jax.systems.icm.steps import (
    Batch,
    Pairs,
    Schedule,
    competition_step,
    reproduction_step,
)

IMAGES = (8, 12, 12, 1)


@pytest.fixture(scope="module")
def model():
    return make_model(tiny.icm())


@pytest.fixture(scope="module")
def state(model):
    """Three experts, so that one can lose; apart enough for every expert to win in some batch."""
    make_state = functools.partial(init, model, 3, jnp.zeros(IMAGES))
    return jax.jit(make_state)(jax.random.key(0))


@pytest.fixture(scope="module")
def batches():
    keys = jax.random.split(jax.random.key(1))
    return [jax.random.uniform(k, IMAGES) for k in keys]


def batch(transformed, canonical, reference):
    return Batch(KeyedImages(transformed), canonical, KeyedImages(reference))


@functools.partial(jax.jit, static_argnums=0)
def apply_expert(model, params, images):
    """What one expert makes of images, normalised by themselves."""
    return model.expert.apply({"params": params}, images, mutable=["batch_stats"])[0]


def comparable(state):
    """The state without a bias that batch norm cancels: Adam blows its rounding errors up."""
    params = {k: v for k, v in state.experts.params.items() if k != "Conv_0"}
    kernel = state.experts.params["Conv_0"]["kernel"]
    variances = state.experts.statistics["BatchNorm_0"]["var"]
    return params, kernel, variances, state.discriminator.params, state.share


def test_experts_start_different(state):
    kernels = state.experts.params["Conv_0"]["kernel"]
    assert jnp.abs(kernels[0] - kernels[1]).max() > 0.01


def test_initialization_fits_each_expert_to_its_input(model, state, batches):
    images = batches[0]
    step = jax.jit(functools.partial(reproduction_step, model, schedule=Schedule(0.9)))
    new, metrics = step(state, Pairs(images, images))
    for e in range(3):
        outputs = apply_expert(model, take_expert(state.experts.params, e), images)
        np.testing.assert_allclose(
            metrics["reproduction_error"].total[e], ((outputs - images) ** 2).mean(), rtol=1e-5
        )
    chex.assert_trees_all_equal(new.discriminator, state.discriminator)
    first = metrics["reproduction_error"].total
    for _ in range(30):
        new, metrics = step(new, Pairs(images, images))
    assert (metrics["reproduction_error"].total < 0.9 * first).all()


def test_one_step_moves_winners_and_the_discriminator_alone(model, state, batches):
    step = jax.jit(functools.partial(competition_step, model, schedule=Schedule(0.9)))
    # Two images cannot be won by three experts: somebody is idle.
    new, metrics = step(state, batch(*(images[:2] for images in batches), batches[0][:1]))
    wins = np.asarray(metrics["wins"].total)
    assert wins.sum() == 2
    for e in range(3):
        before, after = (
            (take_expert(s.experts.params, e), take_expert(s.experts.opt_state, e))
            for s in (state, new)
        )
        if wins[e]:
            assert not np.array_equal(before[0]["Conv_0"]["kernel"], after[0]["Conv_0"]["kernel"])
        else:
            chex.assert_trees_all_equal(before, after)
    changed = jax.tree.map(
        lambda a, b: bool(jnp.any(a != b)), state.discriminator.params, new.discriminator.params
    )
    assert all(jax.tree.leaves(changed))


def test_an_expert_that_wins_too_much_gives_near_ties_away(model, state, batches):
    """Scores of these networks differ by less than two logits, so the handicaps decide."""
    transformed, canonical = batches
    of = batch(transformed, canonical, transformed[:2])
    state = state._replace(share=jnp.array([1e-6, 0.5, 0.5 - 1e-6]))
    won = {}
    for balance in (0.0, 9.0):
        balanced = model._replace(balance=balance)
        step = functools.partial(competition_step, balanced, schedule=Schedule(0.9))
        metrics = jax.jit(lambda *args, step=step: step(*args)[1])(state, of)
        won[balance] = metrics["wins"].total
        paid = metrics["expert_loss"].total.sum(), metrics["winner_score"].total
        assert jnp.isfinite(jnp.array(paid)).all()
    assert won[0.0][0] < 8
    np.testing.assert_array_equal(won[9.0], [8, 0, 0])


def test_metrics_are_those_of_a_plain_loop(model, state, batches):
    transformed, canonical = batches
    step = functools.partial(competition_step, model, schedule=Schedule(0.9))
    metrics = jax.jit(lambda *args: step(*args)[1])(
        state, batch(transformed, canonical, transformed[:2])
    )
    score, logits = jax.jit(model.logits), []
    for e in range(3):
        outputs = apply_expert(model, take_expert(state.experts.params, e), transformed)
        logits.append(score(state.discriminator.params, outputs))
    logits = np.stack(logits)
    real = np.asarray(score(state.discriminator.params, canonical))
    winner = logits.argmax(axis=0)
    for e in range(3):
        won = logits[e, winner == e]
        assert metrics["wins"].total[e] == len(won)
        np.testing.assert_allclose(
            metrics["expert_loss"].total[e], np.log1p(np.exp(-won)).sum(), rtol=1e-4
        )
    np.testing.assert_allclose(
        metrics["discriminator_loss"].total,
        np.log1p(np.exp(logits)).mean() + np.log1p(np.exp(-real)).mean(),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        metrics["winner_score"].total / metrics["winner_score"].count,
        (1 / (1 + np.exp(-logits.max(axis=0)))).mean(),
        rtol=1e-5,
    )


def test_masked_and_gathered_with_all_images_are_the_gradient_of_a_plain_loop(
    model, state, batches
):
    images, params = batches[0], state.experts.params
    score = functools.partial(model.logits, state.discriminator.params)

    @jax.jit
    def gradient(reference):
        reference = None if reference is None else KeyedImages(reference)
        made, _, of_winners = model.competing(params, KeyedImages(images), reference)
        return of_winners(score, competition.winners(score(made.outputs)))

    def plain(params):
        """The loss of masked losers, through the statistics of the whole batch."""
        losses, loss = [], 0.0
        for e in range(3):
            outputs = apply_expert(model, take_expert(params, e), images)
            losses.append(jnp.logaddexp(0.0, -score(outputs)))
        winner = jnp.argmin(jnp.stack(losses), axis=0)
        for e in range(3):
            loss += (losses[e] * (winner == e)).sum() / jnp.maximum((winner == e).sum(), 1)
        return loss

    expected = jax.jit(jax.grad(plain))(params)
    for reference in (None, images):
        chex.assert_trees_all_close(gradient(reference), expected, rtol=1e-3, atol=1e-6)
    # Two images of eight give another gradient, though not one of another kind.
    kernels = [g["Conv_0"]["kernel"].ravel() for g in (gradient(images[:2]), expected)]
    assert jnp.abs(kernels[0] - kernels[1]).max() > 1e-3 * jnp.abs(kernels[1]).max()
    assert jnp.vdot(*kernels) > 0.5 * jnp.linalg.norm(kernels[0]) * jnp.linalg.norm(kernels[1])


def test_four_devices_compute_what_one_does():
    """`vmap` over a named axis stands for the devices: the same collectives, one process."""
    config, splits = tiny.icm(), tiny.splits()
    one, four = tiny.build_icm(config, splits), tiny.build_icm(config, splits, "devices")
    data = jax.tree.map(jnp.asarray, one.given)
    alone = shared = jax.jit(one.init)(jax.random.key(0))
    for index in range(2):
        step = jax.jit(one.phases[index].step)
        step_of_four = jax.jit(
            jax.vmap(
                lambda state, data, key, _: four.phases[index].step(state, data, key),  # noqa: B023
                in_axes=(None, None, None, 0),
                axis_name="devices",
            )
        )
        for i in range(2):
            key = jax.random.key(i)
            alone, metrics = step(alone, data, key)
            everyone, metrics_of_four = step_of_four(shared, data, key, jnp.arange(4))
            for device in range(1, 4):
                chex.assert_trees_all_equal(take_expert(everyone, device), take_expert(everyone, 0))
            shared, metrics_of_four = take_expert((everyone, metrics_of_four), 0)
            chex.assert_trees_all_close(metrics_of_four, metrics, rtol=1e-4, atol=1e-5)
            chex.assert_trees_all_close(comparable(shared), comparable(alone), rtol=1e-3, atol=1e-4)


def test_a_rate_scales_the_step_of_experts_and_discriminator(model, state, batches):
    step = jax.jit(functools.partial(competition_step, model))

    def moved(rate):
        new, _ = step(state, batch(*batches, batches[0][:2]), Schedule(0.9, rate))
        return [
            new.experts.params["Conv_1"]["kernel"] - state.experts.params["Conv_1"]["kernel"],
            new.discriminator.params["Dense_0"]["kernel"]
            - state.discriminator.params["Dense_0"]["kernel"],
        ]

    halves = [delta / 2 for delta in moved(1.0)]
    chex.assert_trees_all_close(moved(0.5), halves, rtol=1e-2, atol=1e-6)


def test_a_step_traces_once():
    system = tiny.build_icm(tiny.icm(), tiny.splits())
    step = jax.jit(chex.assert_max_traces(lambda *args: system.phases[1].step(*args), n=1))
    state, data = jax.jit(system.init)(jax.random.key(0)), jax.tree.map(jnp.asarray, system.given)
    for i in range(3):
        state, _ = step(state, data, jax.random.key(i))


def test_an_oracle_learns_each_mechanism_from_pairs(model, state, batches):
    """Each expert's gradient is that of a plain loop over its own inputs; winners are known."""
    originals = batches[0]
    inputs = jnp.stack([originals, 1 - originals, originals[:, ::-1]])
    step = functools.partial(reproduction_step, model, schedule=Schedule(0.9))
    metrics = jax.jit(lambda *args: step(*args)[1])(state, Pairs(inputs, originals))
    for e in range(3):
        outputs = apply_expert(model, take_expert(state.experts.params, e), inputs[e])
        np.testing.assert_allclose(
            metrics["reproduction_error"].total[e], ((outputs - originals) ** 2).mean(), rtol=1e-5
        )
    config = tiny.icm()
    config.system = "oracle"
    config.competition.steps = 60
    (system,) = build_oracle(config, tiny.splits(), [0])
    (phase,) = system.phases
    state, data = jax.jit(system.init)(jax.random.key(0)), jax.tree.map(jnp.asarray, system.given)
    step = jax.jit(phase.step)
    first = None
    for i in range(60):
        state, metrics = step(state, data, jax.random.key(i))
        first = metrics["reproduction_error"].total if first is None else first
    assert state.steps == 60
    assert (metrics["reproduction_error"].total < 0.8 * first).all()
    judge = jax.jit(system.auxiliary["classifier"].init)(jax.random.key(0))
    found = system.evaluate(state, {"classifier": judge}, True).summary["specialization"]
    assert found["wins"] == [[1.0, 0.0], [0.0, 1.0]] and found["found"] is None
