"""An autoencoder's bound by hand, and what the judge says of known images."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from devices import step_on_devices
from systems.counterfactual.generation.tiny import squares
from systems.counterfactual.mixing import tiny

from icm_jax import default_config
from icm_jax.systems import registry
from icm_jax.systems.counterfactual.biased.colors import MEANS
from icm_jax.systems.counterfactual.mixing import build, evaluation, judging
from icm_jax.systems.counterfactual.mixing.network import bounds


def test_the_bound_by_hand():
    images = jnp.array([1, 0.25]).reshape(1, 1, 2, 1)
    logits = jnp.array([0, jnp.log(3)]).reshape(1, 1, 2, 1)  # probabilities 1/2 and 3/4
    reconstruction, divergence = bounds(images, logits, jnp.ones((1, 1)), jnp.zeros((1, 1)))
    by_hand = np.log(2) - 0.25 * np.log(0.75) - 0.75 * np.log(0.25)
    assert reconstruction == pytest.approx(by_hand)
    assert divergence == pytest.approx(0.5)


def test_usual_colors_of_a_class_by_hand():
    rng = np.random.RandomState(0)
    colors = np.concatenate([rng.uniform(size=(1000, 3)), np.full((5, 3), 0.5)])
    labels = np.repeat([0, 1], [1000, 5])
    known = judging.learn_colors(colors, labels, 2)
    np.testing.assert_allclose(known.mean[0], colors[:1000].mean(axis=0))
    off = known.measure_off(colors)
    by_hand = np.linalg.norm((colors[3] - known.mean[0]) / colors[:1000].std(axis=0))
    assert off[3, 0] == pytest.approx(by_hand)
    assert (off[:1000, 0] > known.limit[0]).sum() == 10  # 1 %
    # Colours that do not vary: a rounding is within the limit, another colour is not.
    near, far = known.measure_off(np.array([[0.5, 0.502, 0.5], [0.5, 0.6, 0.5]]))[:, 1]
    assert near < known.limit[1] < far


def test_the_judge_says_what_known_images_show():
    """Shapes of as many rows as their digit: two in their own colour, one not, three nothing."""
    images = np.zeros((6, 8, 8, 3), np.float32)
    for image, digit, color in zip(images, (2, 3, 4, 7), (2, 3, 5, 7), strict=False):
        image[:digit] = MEANS[color] / 255
    images[1, 4] = images[1, 0] / 3  # a blurred edge is no ink
    images[4, 0, 0] = 1  # one pixel is no shape
    images[5] = 0.01  # nothing is

    def tell(shapes):
        assert shapes.dtype == np.uint8 and set(np.unique(shapes)) <= {0, 255}
        rows = (shapes[:, :, 0, 0] > 0).sum(axis=1)
        sure = np.where(rows == 7, 0.89, 0.91)  # of sevens it is not certain
        return sure[:, None] * np.eye(10)[rows]

    labels = np.arange(10).repeat(2)
    colors = judging.learn_colors(MEANS[labels] / 255, labels, 10)
    found = judging.judge(tell, colors, images)
    assert found.digit[:4].tolist() == [2, 3, 4, 7] and found.color[:4].tolist() == [2, 3, 5, 7]
    assert found.shown.tolist() == [True] * 3 + [False] * 3
    assert found.unseen.tolist() == [False, False, True, False, False, False]
    assert found.mixed() == pytest.approx(1 / 3)
    counts = found.counts(10)
    assert counts.sum() == 3 and counts[4, 5] == counts[2, 2] == counts[3, 3] == 1
    nothing = judging.Judgement(*(array[3:] for array in found))
    assert nothing.mixed() is None


class Painted(NamedTuple):
    """A generator whose every counterfactual is one bright colour all over."""

    classes: int = 10
    size: int = 32
    names: tuple[str, ...] = ()

    def draw(self, count):
        return {"images": np.full((count, 32, 32, 3), 255, np.uint8)}


def test_an_autoencoder_is_judged_beside_images_that_are_known(monkeypatch):
    monkeypatch.setattr(build.use, "load", lambda place, field: Painted())
    (system,) = build.build_seeds(tiny.counterfactual_vae("painted"), squares(), [0])
    examined, made = system.evaluate.args
    examined = examined._replace(tell=lambda _, shapes: np.eye(10)[np.zeros(len(shapes), int)])
    state = jax.jit(system.init)(jax.random.key(0))
    evaluated = evaluation.evaluate(examined, made, state, {"judge": ()}, True)
    mixed = evaluated.summary["mixed"]
    assert set(mixed) == {
        "samples",
        "reconstructions",
        "training images",
        "test images",
        "counterfactuals",
    }
    assert mixed["counterfactuals"] == 1  # white is the colour of no zero
    assert 0.8 < mixed["training images"] < 0.95  # one in ten are zeros, and colours overlap
    for kind, count in (("samples", 100), ("training images", 40), ("test images", 20)):
        combinations = np.array(evaluated.summary["combinations"][kind])
        assert combinations.shape == (10, 10) and combinations[0].sum() == count
    assert evaluated.arrays["latents"].shape == (20, 2)


@pytest.mark.parametrize(
    ("painted", "message"),
    [
        (Painted(3), "makes 3 classes, the data have 10"),
        (Painted(size=64), "makes 64 pixels a side, the data have 32"),
    ],
)
def test_a_generator_of_other_data_is_refused(painted, message, monkeypatch):
    monkeypatch.setattr(build.use, "load", lambda place, field: painted)
    with pytest.raises(ValueError, match=f"^generator: 'painted' {message}"):
        build.build_seeds(tiny.counterfactual_vae("painted"), squares(), [0])


@pytest.mark.slow
def test_two_devices_learn_what_one_does():
    systems = [
        build.build_seeds(tiny.counterfactual_vae(), squares(), [0], axis)[0]
        for axis in (None, "devices")
    ]
    one, two = (system.phases[0].step for system in systems)
    state = jax.jit(systems[0].init)(jax.random.key(0))
    data, key = jax.tree.map(jnp.asarray, systems[0].given), jax.random.key(1)

    alone, everyone = step_on_devices(one, two, state, data, key)
    for of_one in everyone:
        chex.assert_trees_all_close(of_one[1], alone[1], rtol=1e-4)
        moments = (of.learner.opt_state[0].mu for of in (of_one[0], alone[0]))
        chex.assert_trees_all_close(*moments, rtol=1e-3, atol=1e-5)


def test_training_images_have_their_own_colors_alone():
    config = tiny.counterfactual_vae()
    config.data.unbiased = (0.0, 0.1)
    with pytest.raises(ValueError, match="^data.unbiased: .* it must be zeros, one or more"):
        registry.validate(config)


@pytest.mark.parametrize("field", ["dir", "textures"])
def test_a_judge_belongs_to_what_lies_in_folders(field, tmp_path):
    config = default_config("counterfactual_vae")
    config.data[field], found = str(tmp_path), []
    for content in (b"", b"an image"):
        (tmp_path / "a.png").write_bytes(content)
        found.append(build.digests(config))
    assert found[0] != found[1] == build.digests(config)
