"""A conditional GAN: its network, its step by the losses written out, and its use."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from devices import step_on_devices
from systems.counterfactual.gan import tiny
from systems.counterfactual.generation import tiny as generators
from systems.counterfactual.invariance import tiny as classifiers

from icm_jax import experiment
from icm_jax.systems.counterfactual.gan import build, evaluation, steps, use
from icm_jax.systems.counterfactual.gan.config import recipe
from icm_jax.systems.counterfactual.invariance import build as classifier
from icm_jax.systems.counterfactual.invariance import supply
from icm_jax.systems.counterfactual.networks.dcgan import Dcgan, _spread_pixel


def test_the_network_has_the_reproductions_kernels():
    noise, labels = jnp.zeros((2, 32)), jnp.zeros(2, jnp.int32)
    made = {}
    for size in (32, 64):
        module = Dcgan(10, size)
        variables = jax.eval_shape(module.init, jax.random.key(0), noise, labels)
        images = jax.eval_shape(module.apply, variables, noise, labels)
        assert images.shape == (2, size, size, 3)
        params = variables["params"]
        kernels = [of["kernel"].shape for name, of in params.items() if "Conv" in name]
        made[size] = sorted(kernels, key=lambda shape: -shape[-1])
    assert made[32] == [(4, 4, 42, 256), (4, 4, 256, 128), (4, 4, 128, 64), (4, 4, 64, 3)]
    assert len(made[64]) == 5


def test_the_first_layer_spreads_a_pixel_as_a_transposed_convolution_does():
    keys = jax.random.split(jax.random.key(0))
    pixels, kernel = (
        jax.random.normal(keys[0], (2, 1, 1, 3)),
        jax.random.normal(keys[1], (4, 4, 3, 5)),
    )
    found = _spread_pixel(None)(pixels, kernel, (1, 1), "SAME", precision=None)
    wanted = jax.lax.conv_transpose(pixels, kernel, (1, 1), "VALID")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def build_one(axis_name=None):
    config = tiny.conditional_gan()
    config.discriminator.dropout = 0.0  # devices would drop other units than one does
    return build.build_seeds(config, generators.squares(), [0], axis_name)[0]


def test_a_step_is_that_of_the_two_cross_entropies():
    system = build_one()
    gan, biased = system.phases[0].step.args
    state, data = jax.jit(system.init)(jax.random.key(0)), jax.device_put(system.given)
    key = jax.random.key(3)

    @jax.jit
    def both(state):
        batch = steps._draw(gan, biased, data, jax.random.split(key, 3)[0])
        ours, theirs = state.generator.parameters, state.discriminator.parameters

        def make(params):
            variables = {"params": params, "batch_stats": ours.batch_stats}
            return gan.generator.apply(
                variables, batch.noise, batch.wanted, train=True, mutable=["batch_stats"]
            )[0]

        def chance(params, images, labels):
            return jax.nn.sigmoid(gan.discriminator.apply({"params": params}, images, labels))

        def making(params):
            return -jnp.log(chance(theirs.params, make(params), batch.wanted)).mean()

        def telling(params):
            real = -jnp.log(chance(params, batch.images, batch.labels)).mean()
            return (real - jnp.log(1 - chance(params, make(ours.params), batch.wanted)).mean()) / 2

        values = making(ours.params), telling(theirs.params)
        gradients = jax.grad(making)(ours.params), jax.grad(telling)(theirs.params)
        return values, gradients, steps.step(gan, biased, state, data, key)

    values, gradients, (after, metrics) = jax.device_get(both(state))
    found = [metrics[name].total / 4 for name in ("generator", "discriminator")]
    np.testing.assert_allclose(found, values, rtol=1e-4)
    for gradient, before, learner in zip(gradients, state, after, strict=True):
        # Adam's first moment is half of the gradient.
        moment = learner.opt_state[0].mu
        wanted = jax.tree.map(lambda g: 0.5 * g, gradient)
        chex.assert_trees_all_close(moment, wanted, rtol=1e-2, atol=1e-6)
        assert optax.tree.norm(gradient) > 1e-3
        assert jax.tree.structure(learner) == jax.tree.structure(before)


def test_two_devices_learn_what_one_does():
    one, two = (build_one(axis) for axis in (None, "devices"))
    state, data = jax.jit(one.init)(jax.random.key(0)), jax.device_put(one.given)

    steps = one.phases[0].step, two.phases[0].step
    (alone, metrics), everyone = step_on_devices(*steps, state, data, jax.random.key(1))
    for of_all, told in everyone:
        chex.assert_trees_all_close(told, metrics, rtol=1e-4)
        moments = ([learner.opt_state[0].mu for learner in each] for each in (of_all, alone))
        chex.assert_trees_all_close(*moments, rtol=1e-2, atol=1e-5)


def test_spread_is_the_mean_deviation_of_pixels():
    images = np.zeros((2, 4, 1, 2, 3))
    images[1, :, 0, 0] = np.array([-1, 1, -1, 1])[:, None]  # half of the pixels, deviation 1
    np.testing.assert_allclose(evaluation.measure_spread(images), [0, 0.5])


def test_a_classifier_learns_from_a_finished_gan(tmp_path):
    config = tiny.conditional_gan()
    result = experiment.run(config, tmp_path, data=generators.squares())
    finished = use.load(tmp_path)
    chex.assert_trees_all_equal(finished.variables, result.state.generator.parameters._asdict())
    made = supply.load(tmp_path, "generator", gan=True)
    images, labels = made.make(made.arrays, jax.random.key(0), 5, None)
    noise = jax.random.normal(jax.random.split(jax.random.key(0))[0], (5, 3))
    wanted = finished.generator.apply(finished.variables, noise, labels)
    chex.assert_trees_all_close(images, wanted, atol=1e-6)
    for method, originals in (("gan", 0), ("both_gan", 2)):
        one = classifiers.classifier(f"colored,{method}", tmp_path)
        (system,) = classifier.build_seeds(one, generators.squares(), [0])
        how = system.phases[0].step.__closure__[0].cell_contents
        assert how.draw.args[0].originals == originals
        assert how.draw.args[0].supplied == 4 - originals
    message = "is not allowed for this method; it must be of configs/counterfactual.py$"
    with pytest.raises(ValueError, match=message):
        supply.load(tmp_path, "generator")
    (tmp_path / "cgn.npz").touch()
    with pytest.raises(ValueError, match="it must be of configs/conditional_gan.py$"):
        supply.load(tmp_path / "cgn.npz", "generator", gan=True)


def test_sets_of_textures_have_convolutions_that_tell():
    assert recipe("colored") == {"data": {"set": "colored"}}
    assert recipe("double_colored") == {"data": {"set": "double_colored"}, "steps": 40_000}
    assert recipe("wildlife")["discriminator"]["kind"] == "conv"
    with pytest.raises(ValueError, match="^config: 'cgn' is not allowed; it must be one of col"):
        recipe("cgn")
