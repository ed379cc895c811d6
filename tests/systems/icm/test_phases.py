"""What a config says reaches the step: one step of each phase against what its fields mean."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import classification, mechanisms
from icm_jax.networks.compute import Compute
from icm_jax.systems.icm import phases
from icm_jax.systems.icm.build import build_oracle
from icm_jax.systems.icm.images import build_images
from icm_jax.systems.icm.model import make_model

KEY = jax.random.key(3)


@functools.cache
def competition(reference=8):
    """A state before the first step, the step, which takes `KEY`, and the batch that it draws."""
    config, splits = tiny.icm(), tiny.splits()
    config.competition.restart.every = 0
    config.competition.reference = reference
    system = tiny.build_icm(config, splits)
    data = jax.tree.map(jnp.asarray, system.given)
    step = jax.jit(system.phases[1].step)
    images = build_images(config, splits).draw(data, jax.random.split(KEY, 3)[1], 8)
    return jax.jit(system.init)(jax.random.key(0)), lambda state: step(state, data, KEY), images


def test_a_step_keeps_most_of_the_running_shares_and_statistics():
    state, step, images = competition()
    new, metrics = step(state)
    wins = np.asarray(metrics["wins"].total)
    assert wins.sum() == 8 and new.steps == 1
    np.testing.assert_allclose(new.share, 0.95 * 0.5 + 0.05 * wins / 8, rtol=1e-6)
    assert not np.allclose(wins, 4)  # or it would be what it was
    _, of_batch = jax.jit(make_model(tiny.icm()).scoring_pass)(state.experts.params, images)
    expected = jax.tree.map(lambda old, b: 0.9 * old + 0.1 * b, state.experts.statistics, of_batch)
    chex.assert_trees_all_close(new.experts.statistics, expected, atol=1e-6)


def test_the_last_step_of_the_decay_moves_nothing():
    state, step, _ = competition()
    for steps, still in ((0, False), (9, True)):  # of 9
        new, _ = step(state._replace(steps=jnp.int32(steps)))
        for before, after in zip(state[:2], new[:2], strict=True):
            same = jax.tree.map(lambda a, b: bool((a == b).all()), before.params, after.params)
            assert all(jax.tree.leaves(same)) == still


def test_reference_images_are_as_many_as_the_config_says():
    moments = []
    for reference in (0, 8, 2):
        state, step, _ = competition(reference)
        # Adam's first moment is a tenth of the gradient.
        moments.append(np.asarray(step(state)[0].experts.opt_state[0].mu["Conv_0"]["kernel"]))
    masked, whole, two = moments
    np.testing.assert_allclose(whole, masked, rtol=1e-3, atol=1e-6)  # all 8 images of the batch
    assert np.abs(two - masked).max() > 1e-2 * np.abs(masked).max()


def test_initialization_ends_below_its_threshold():
    config = tiny.icm()
    config.initialization.threshold = 0.25
    initialization, _ = tiny.build_icm(config, tiny.splits()).phases
    assert initialization.stop_below == ("reproduction_error", 0.25)


def initialize(images, axis_name=None):
    """A first step of initialization: its state before, and the step, which takes the state."""
    config = tiny.icm()
    config.initialization.images = images
    system = tiny.build_icm(config, tiny.splits(), axis_name)
    data, step = jax.tree.map(jnp.asarray, system.given), system.phases[0].step
    return jax.jit(system.init)(jax.random.key(0)), lambda state: step(state, data, KEY)


def test_initialization_learns_from_as_many_images_as_the_config_says():
    errors = {}
    for count in (0, 8, 2):
        state, step = initialize(count)
        errors[count] = np.asarray(jax.jit(step)(state)[1]["reproduction_error"].total)
    config = tiny.icm()
    data = jax.tree.map(jnp.asarray, tiny.build_icm(config, tiny.splits()).given)
    two = build_images(config, tiny.splits()).draw(data, KEY, 2)
    made, _ = jax.jit(make_model(config).scoring_pass)(state.experts.params, two)
    np.testing.assert_allclose(
        errors[2], jnp.square(made.outputs - two[None]).mean((1, 2, 3, 4)), 1e-5
    )
    np.testing.assert_array_equal(errors[0], errors[8])  # all of a batch
    assert np.abs(errors[2] - errors[8]).min() > 1e-4


def test_too_few_images_for_the_devices_are_refused():
    state, step = initialize(2, "devices")
    with pytest.raises(ValueError, match="initialization.images: 2 does not divide among 4"):
        jax.eval_shape(jax.vmap(step, None, axis_size=4, axis_name="devices"), state)


def test_either_network_has_its_own_learning_rate_and_both_compute_as_told():
    config = tiny.icm()
    config.experts.learning_rate, config.discriminator.learning_rate = 1e-2, 1e-4
    config.precision, config.convolution = "bfloat16", "matmul"
    model = make_model(config)
    assert model.expert.compute == model.discriminator.compute == Compute("bfloat16", "matmul")
    for optimizer, rate in ((model.expert_optimizer, 1e-2), (model.discriminator_optimizer, 1e-4)):
        params = jnp.zeros(3)
        moved, _ = optimizer.update(jnp.array([3.0, -0.5, 20.0]), optimizer.init(params))
        np.testing.assert_allclose(moved, [-rate, rate, -rate], rtol=1e-4)  # Adam's first step


def test_an_oracles_experts_get_pairs_of_their_own_mechanism(monkeypatch):
    config = tiny.icm()
    config.system = "oracle"
    seen = {}
    monkeypatch.setattr(
        phases,
        "reproduction_step",
        lambda model, state, pairs, *rest: seen.update(pairs._asdict()) or (state, {}),
    )
    (system,) = build_oracle(config, tiny.splits(), [0])
    state, data = jax.jit(system.init)(jax.random.key(0)), jax.tree.map(jnp.asarray, system.given)
    system.phases[0].step(state, data, jax.random.key(1))
    assert seen["inputs"].shape == (2, *seen["targets"].shape) == (2, 8, 12, 12, 1)
    for inputs, spec in zip(seen["inputs"], config.mechanisms, strict=True):
        undo = jax.vmap(mechanisms.build(spec), (None, 0))  # neither of the two draws anything
        np.testing.assert_allclose(inputs, undo(jax.random.key(0), seen["targets"]), atol=1e-6)


def test_evaluation_is_that_of_a_plain_loop():
    """Who wins what, how well it is restored, and what the judge makes of it."""
    config, splits = tiny.icm(), tiny.splits(test=40)
    system = tiny.build_icm(config, splits)
    state = jax.jit(system.init)(jax.random.key(0))
    judge = system.auxiliary["classifier"]
    judged = jax.jit(judge.init)(jax.random.key(0))
    summary = system.evaluate(state, {"classifier": judged}, True).summary
    model = make_model(config)
    restore, score = jax.jit(model.restore), jax.jit(model.logits)
    bank = [mechanisms.build(spec) for spec in config.mechanisms]
    wins, errors, right = np.zeros((2, 2)), [[], []], [[], []]
    classify = jax.jit(classification.make_classifier(config.classifier, 2).predict)
    for i, image in enumerate(splits.test.images / np.float32(255)):
        m = i % 2
        inputs = bank[m](jax.random.key(0), image)[None]
        outputs = [
            restore(*jax.tree.map(lambda t, e=e: t[e], state.experts[:2]), inputs) for e in (0, 1)
        ]
        logits = [score(state.discriminator.params, made)[0] for made in outputs]
        winner = int(logits[1] > logits[0])
        wins[m, winner] += 1 / 20
        errors[m].append(-10 * np.log10(np.square(outputs[winner][0] - image).mean()))
        right[m].append(classify(judged, outputs[winner])[0] == splits.test.labels[i])
    assert (wins.sum(axis=0) > 0).all()  # either expert wins something
    np.testing.assert_allclose(summary["specialization"]["wins"], wins, atol=1e-6)
    np.testing.assert_allclose(list(summary["psnr"].values()), np.mean(errors, axis=1), rtol=1e-4)
    shares = summary["accuracy"]["per_mechanism"].values()
    np.testing.assert_allclose([s["restored"] for s in shares], np.mean(right, axis=1))
