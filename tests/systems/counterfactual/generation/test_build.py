"""The generator as a system: its step by hand, on several devices, killed and resumed."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from crashes import Crash, crashing
from devices import step_on_devices
from systems.counterfactual.generation import tiny

from icm_jax import experiment
from icm_jax.systems.counterfactual import losses
from icm_jax.systems.counterfactual.composition import clamp_mask, compose, roll
from icm_jax.systems.counterfactual.generation import build, steps
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.progress import Progress


def build_one(choice="colored", axis_name=None, **fields):
    config = tiny.counterfactual(choice)
    config.update_from_flattened_dict(fields)
    return build.build_seeds(config, tiny.squares(), [config.seed], axis_name)[0]


def first_of(system):
    return jax.jit(system.init)(jax.random.key(0))


def test_a_step_is_that_of_the_two_losses(monkeypatch):
    """Both sides by the losses written out, in the published order, with plain gradient steps."""
    monkeypatch.setattr(build.vgg16, "load", lambda file, blocks: tiny.vgg_weights())
    system = build_one(
        **{
            "discriminator.kind": "linear",
            "discriminator.dropout": 0.0,
            "losses.adversarial": "least_squares",
            "losses.perceptual": (0.2, 0.1, 0.0, 0.0),
            "losses.perceptual_share": 0.5,
        }
    )
    training = system.phases[0].step.args[0]
    sgd = optax.sgd(0.1)
    networks = training.networks._replace(generator_optimizer=sgd, discriminator_optimizer=sgd)
    training = training._replace(networks=networks)
    state = first_of(system)
    state = jax.tree.map(lambda x: x, state)._replace(
        generator=state.generator._replace(opt_state=sgd.init(())),
        discriminator=state.discriminator._replace(opt_state=sgd.init(())),
    )
    data, key = jax.tree.map(jnp.asarray, system.given), jax.random.key(7)
    batch = steps._draw(training, data, jax.random.split(key, 3)[0])
    ours, theirs = (of.parameters._asdict() for of in state[:2])

    def tell(params, images, labels):
        return networks.discriminator.apply({"params": params}, images, labels)

    def make(params):
        layers, _ = networks.mechanisms.apply(
            {**ours, "params": params},
            Each(*[batch.noise] * 3),
            Each(*[batch.wanted] * 3),
            train=True,
            mutable=["batch_stats"],
        )
        mask = clamp_mask(layers.mask)
        fore, back = (
            jnp.stack([roll(t[i], batch.offsets[i, which]) for i in range(4)])
            for which, t in enumerate((layers.foreground, layers.background))
        )
        return compose(mask, fore, back), mask

    def making(params):
        fake, mask = make(params)
        of_two = losses.gram_distance(
            vgg.features(data["vgg"], fake[:2], 2),
            vgg.features(data["vgg"], batch.images[:2], 2),
            (0.2, 0.1),
        ).mean()
        return (
            jnp.square(tell(theirs["params"], fake, batch.wanted) - 1).mean()
            + 0.1 * losses.mask_entropy(mask).mean()
            + training.config.losses.edge * losses.mask_edge(mask, 8.0).mean()
            + of_two
        )

    def telling(params):
        fake, _ = make(ours["params"])
        real = jnp.square(tell(params, batch.images, batch.labels) - 1).mean()
        return (real + jnp.square(tell(params, fake, batch.wanted)).mean()) / 2

    @jax.jit
    def both(state):
        made = jax.value_and_grad(making)(ours["params"])
        told = jax.value_and_grad(telling)(theirs["params"])
        return tuple(zip(made, told, strict=True)), steps.step(training, state, data, key)

    (values, gradients), (after, metrics) = jax.device_get(both(state))
    pairs = zip(gradients, (ours, theirs), (after.generator, after.discriminator), strict=True)
    for gradient, before, player in pairs:
        wanted = jax.tree.map(lambda p, g: p - 0.1 * g, before["params"], gradient)
        chex.assert_trees_all_close(player.parameters.params, wanted, rtol=1e-3, atol=1e-5)
        assert max(float(np.abs(g).max()) for g in jax.tree.leaves(gradient)) > 1e-3
    average = jax.tree.map(
        lambda a, b: 0.1 * a + 0.9 * b, state.average, after.generator.parameters._asdict()
    )
    chex.assert_trees_all_close(after.average, average, rtol=1e-5, atol=1e-7)
    assert (state.steps, after.steps) == (0, 1)
    total = sum(float(metric.total / metric.count) for metric in metrics.values())
    assert total == pytest.approx(float(sum(values)), rel=1e-4)


@pytest.mark.parametrize("choice", ["colored", "wildlife"])
@pytest.mark.slow
def test_two_devices_learn_what_one_does(choice):
    # Devices would drop other units than one does.
    one, two = (
        build_one(choice, axis, **{"discriminator.dropout": 0.0}) for axis in (None, "devices")
    )
    first, data = first_of(one), jax.tree.map(jnp.asarray, one.given)

    steps_of = one.phases[0].step, two.phases[0].step
    (alone, metrics), each = step_on_devices(*steps_of, first, data, jax.random.key(1))
    of_first, of_second = each
    chex.assert_trees_all_equal(of_first, of_second)
    chex.assert_trees_all_close(of_first[1], metrics, rtol=1e-4)
    for name in ("generator", "discriminator"):
        ours, theirs = getattr(alone, name), getattr(of_first[0], name)
        moments = [optax.tree_utils.tree_get(p.opt_state, "mu") for p in (ours, theirs)]
        chex.assert_trees_all_close(*moments, rtol=1e-2, atol=1e-5)
        stats = [player.parameters.batch_stats for player in (ours, theirs)]
        chex.assert_trees_all_close(*stats, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(tmp_path, monkeypatch, run):
    crashes = [
        (Progress, "advance", 0, False),  # nothing is saved
        (Checkpoints, "save", 0, True),
        (Progress, "advance", 0, True),
    ]
    for owner, name, at, after in crashes:
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crashing(patch, owner, name, at, after)
            experiment.run(tiny.counterfactual(), tmp_path, data=tiny.squares())
    resumed = experiment.run(tiny.counterfactual(), tmp_path, data=tiny.squares())
    workdir, result = run
    chex.assert_trees_all_equal(resumed.state, result.state)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (workdir / "metrics.jsonl").read_bytes()
