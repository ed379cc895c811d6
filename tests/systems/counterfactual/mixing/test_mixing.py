"""An autoencoder's bound by hand, what the judge says of known images, killed and resumed."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crashes import Crash, crashing
from systems.counterfactual.generation import tiny as generators
from systems.counterfactual.mixing import tiny

from icm_jax import experiment
from icm_jax.systems.counterfactual.biased.colors import MEANS
from icm_jax.systems.counterfactual.mixing import build, evaluation
from icm_jax.systems.counterfactual.mixing.network import bounds
from icm_jax.training.checkpoints import Checkpoints


def test_the_bound_by_hand():
    images, decoded = jnp.zeros((1, 1, 2, 1)), jnp.array([0.3, 0.4]).reshape(1, 1, 2, 1)
    off, divergence = bounds(
        images, decoded, jnp.array([[1.0, 0]]), jnp.log(jnp.array([[4.0, 1]])), 0.5
    )
    assert off == pytest.approx(0.25 / (2 * 0.25))
    assert divergence == pytest.approx((1 + 4 - 1 - np.log(4)) / 2)  # the second latent is N(0, 1)


def test_the_judge_says_what_known_images_show():
    """Shapes of as many rows as their digit, two in their own colour, one not, one without ink."""
    images = np.zeros((4, 8, 8, 3), np.float32)
    for image, digit, color in zip(images, (2, 3, 4), (2, 3, 5), strict=False):
        image[:digit] = MEANS[color] / 255
    images[3, 0, 0] = 1  # one pixel is no shape

    def predict(state, shapes):
        assert shapes.dtype == np.uint8 and set(np.unique(shapes)) == {0, 255}
        return (jnp.asarray(shapes)[:, :, 0, 0] > 0).sum(axis=1)

    found = evaluation.judge(predict, (), images, 10)
    assert found.digit[:3].tolist() == [2, 3, 4] and found.color[:3].tolist() == [2, 3, 5]
    assert found.shown.tolist() == [True, True, True, False]
    assert found.mixed() == pytest.approx(1 / 3)
    counts = found.counts(10)
    assert counts.sum() == 3 and counts[4, 5] == counts[2, 2] == 1
    nothing = evaluation.Found(*(array[3:] for array in found))
    assert nothing.mixed() is None


def test_two_coordinates_are_those_of_largest_variance():
    rng = np.random.RandomState(0)
    points = rng.normal(size=(500, 3)) * [0.1, 5, 1]
    found = evaluation.principal(points)
    np.testing.assert_allclose(found.std(axis=0), [5, 1], rtol=0.1)
    assert abs(np.corrcoef(found[:, 0], points[:, 1])[0, 1]) > 0.99


def test_a_run_is_judged_beside_a_generator_and_goes_on_bit_for_bit(run, tmp_path, monkeypatch):
    config = tiny.counterfactual_vae(run[0])
    config.data.variance = 0.0
    whole = experiment.run(config, tmp_path / "whole", data=generators.squares())
    assert set(whole.summary["mixed"]) == {"samples", "originals", "counterfactuals"}
    counts = np.array(whole.summary["combinations"]["originals"])
    assert counts.shape == (10, 10) and counts.sum() == 40
    assert counts.sum(axis=0).tolist() == [4] * 10  # colours do not vary
    with monkeypatch.context() as patch, pytest.raises(Crash):
        crashing(patch, Checkpoints, "save", 1, True)
        experiment.run(config, tmp_path / "killed", data=generators.squares())
    resumed = experiment.run(config, tmp_path / "killed", data=generators.squares())
    chex.assert_trees_all_equal(resumed.state, whole.state)


def test_two_devices_learn_what_one_does():
    systems = [
        build.build_seeds(tiny.counterfactual_vae(), generators.squares(), [0], axis)[0]
        for axis in (None, "devices")
    ]
    one, two = (system.phases[0].step for system in systems)
    state = jax.jit(systems[0].init)(jax.random.key(0))
    data, key = jax.tree.map(jnp.asarray, systems[0].given), jax.random.key(1)

    @jax.jit
    def both(state):
        call = jax.vmap(lambda _: two(state, data, key), axis_name="devices")
        return one(state, data, key), call(jnp.arange(2))

    alone, everyone = jax.device_get(both(state))
    for place in range(2):
        of_one = jax.tree.map(lambda x, place=place: x[place], everyone)
        chex.assert_trees_all_close(of_one[1], alone[1], rtol=1e-4)
        chex.assert_trees_all_close(
            of_one[0].opt_state[0].mu, alone[0].opt_state[0].mu, rtol=1e-3, atol=1e-5
        )
