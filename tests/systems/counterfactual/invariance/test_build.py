"""Classifiers that learn from counterfactuals: what they are shown, killed and resumed."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from systems.counterfactual.generation import tiny as generators
from systems.counterfactual.invariance import tiny

from icm_jax import experiment
from icm_jax.systems import registry
from icm_jax.systems.counterfactual.generate import draw_labels, draw_noise, generate
from icm_jax.systems.counterfactual.generation import use
from icm_jax.systems.counterfactual.invariance import build
from icm_jax.systems.counterfactual.invariance.config import set_and_method
from icm_jax.systems.counterfactual.invariance.methods import plain


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A generator's finished run, of one step."""
    workdir = tmp_path_factory.mktemp("generator")
    config = generators.counterfactual()
    config.steps = 1
    experiment.run(config, workdir, data=generators.squares())
    return workdir


def drawn(choice, generator, batch_size=4):
    """What a step is shown, and what it is drawn from."""
    config = tiny.classifier(choice, generator)
    config.batch_size = batch_size
    (system,) = build.build_seeds(config, generators.squares(), [0])
    how = system.phases[0].step.__closure__[0].cell_contents
    data = jax.tree.map(jnp.asarray, system.given)
    batch, _ = jax.jit(lambda key: how.draw((), data, key))(jax.random.key(5))
    return batch, system


def test_counterfactuals_have_the_label_of_their_shape(generator):
    batch, _ = drawn("colored,counterfactual", generator)
    noise_key, label_key, shift_key = jax.random.split(jax.random.split(jax.random.key(5))[1], 3)
    made, labels = use.load(generator), draw_labels(label_key, 4, 10)
    noise = draw_noise(noise_key, 4, made.latent)
    wanted = generate(made.mechanisms, made.variables, noise, labels, shift_key)
    chex.assert_trees_all_close(batch.inputs, wanted.images, atol=1e-5)
    chex.assert_trees_all_equal(batch.labels, labels.shape)
    assert (labels.shape != labels.foreground).any()


def test_half_of_both_are_originals(generator):
    batch, system = drawn("colored,both", generator, batch_size=6)
    batch = jax.device_get(batch)
    parts, labels = system.given["parts"], system.given["labels"]
    originals = build.biased.make(tiny.classifier().data, generators.squares(), 0)
    everything = np.asarray(originals.render(parts, {}, jax.random.key(0)))
    for image, label in zip(batch.inputs[:3], batch.labels[:3], strict=True):
        off = np.abs(everything - image[None]).max((1, 2, 3))
        assert off.min() < 1e-6 and labels[off.argmin()] == label
    assert all(np.abs(everything - i[None]).max((1, 2, 3)).min() > 0.1 for i in batch.inputs[3:])


def test_the_generator_does_not_learn_and_the_classifier_does(generator, tmp_path):
    config = tiny.classifier("colored,counterfactual", generator)
    before = use.load(generator).variables
    (system,) = experiment.build(config, generators.squares())
    first = jax.jit(system.init)(jax.random.key(0))
    result = experiment.run(config, tmp_path, data=generators.squares())
    chex.assert_trees_all_equal(use.load(generator).variables, before)
    moved = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()),
        first.learner.parameters.params,
        result.state.learner.parameters.params,
    )
    assert min(jax.tree.leaves(moved)) > 0
    assert {"mechanisms", "shape"}.isdisjoint(result.state._fields)


def test_the_rate_falls_after_each_tenth():
    config = tiny.classifier()
    config.steps = 20
    optimizer = plain.make_optimizer(config)
    params = jnp.float32(0)
    state, published = optimizer.init(params), optax.adadelta(1.0, rho=0.9, eps=1e-6)
    plain_state = published.init(params)
    for step in range(6):
        update, state = optimizer.update(jnp.float32(1), state, params)
        of_one, plain_state = published.update(jnp.float32(1), plain_state, params)
        assert update / of_one == pytest.approx(0.7 ** (step // 2), rel=1e-5)


def test_what_does_not_go_together_is_refused(generator):
    config = tiny.classifier("wildlife,both")
    config.recipe.losses.perceptual = (1.0,)
    message = r"^recipe.losses.perceptual: \(1.0,\) is not allowed; it must be 4 weights from 0 on"
    with pytest.raises(ValueError, match=message):
        registry.validate(config)
    with pytest.raises(ValueError, match="^config: 'both,wildlife' is not allowed; it must be one"):
        set_and_method("both,wildlife")
    few = generators.squares()
    few = few._replace(**{k: v.take(v.labels < 4) for k, v in few._asdict().items()})
    with pytest.raises(ValueError, match="makes 10 classes, the data have 4; choose one"):
        build.build_seeds(tiny.classifier("colored,both", generator), few, [0])
