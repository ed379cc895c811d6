"""Which faces are drawn, and how often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.evaluation import ranking
from icm_jax.systems.risk.detection.sampling import (
    draw_halves,
    weigh_groups,
    weigh_risk,
    weigh_scores,
)
from icm_jax.systems.risk.wrappers import Risk

DRAWN = 20_000


def shares(weights, labels):
    index = draw_halves(jax.random.key(0), jnp.float32(weights), jnp.int32(labels), DRAWN)
    return np.bincount(np.asarray(index), minlength=len(weights)) / (DRAWN / 2)


def test_halves_take_turns():
    labels = jnp.array([0, 1, 0, 1, 1])
    index = draw_halves(jax.random.key(1), jnp.ones(5), labels, 8)
    assert labels[index].tolist() == [1, 0] * 4


def test_images_are_drawn_by_their_weights_within_their_class():
    # Faces 1, 3, 4 weigh 1, 2, 0; others 2 and 0.
    found = shares([2, 1, 0, 2, 0], [0, 1, 0, 1, 1])
    # Three standard deviations of 10,000 draws at 1/3 are 0.014.
    np.testing.assert_allclose(found, [1, 1 / 3, 0, 2 / 3, 0], atol=0.014)
    assert found[2] == found[4] == 0  # never


def test_a_last_image_without_weight_is_never_drawn_by_rounding(monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: jnp.full(shape, 1 - 2**-24))
    weights = jnp.array([0.1, 0.3, 0.7, 0.0], jnp.float32)
    index = draw_halves(jax.random.key(0), weights, jnp.array([1, 0, 1, 1]), 4)
    assert index.tolist() == [2, 1, 2, 1]


def test_exact_density_makes_groups_equally_frequent():
    # 90 faces of density 9 and 10 of density 1, in logarithms.
    log_density = np.log(np.repeat([9.0, 1.0], [90, 10]))
    weights = weigh_scores(log_density, power=1, most=50)
    np.testing.assert_allclose(weights, np.repeat([1, 9], [90, 10]), rtol=1e-6)
    assert weights[:90].sum() == pytest.approx(weights[90:].sum())
    # (90 + 90)^2 / (90 + 10 * 81)
    assert ranking.effective_sample_size(weights) == pytest.approx(36)


def test_power_cut_and_median():
    log_density = np.log([16.0, 4.0, 4.0, 1.0, 1e-9])
    # The median is 4: what is commoner counts 1, the rarest no more than 10.
    weights = weigh_scores(log_density, power=0.5, most=10)
    np.testing.assert_allclose(weights, [1, 1, 1, 2, 10], rtol=1e-6)
    assert (weigh_scores(log_density, power=0, most=10) == 1).all()


def test_scores_of_a_risk():
    epistemic = np.array([0.1, 0.1, 0.1, 0.1, 0.4])
    density = np.log([1, 1, 1, 1 / 3, 1 / 5])
    risk = Risk(np.zeros((5, 2)), epistemic=epistemic, density=density)
    of = {by: weigh_risk(risk, by, 1, 16) for by in ("density", "epistemic", "both")}
    np.testing.assert_allclose(of["density"], [1, 1, 1, 3, 5], rtol=1e-6)
    np.testing.assert_allclose(of["epistemic"], [1, 1, 1, 1, 4], rtol=1e-6)
    np.testing.assert_allclose(of["both"], [1, 1, 1, 3, 16], rtol=1e-6)  # 20 is too much


def test_what_is_known_entirely_has_a_weight():
    risk = Risk(np.zeros((3, 2)), epistemic=np.array([0, 0, 1e-5]))
    np.testing.assert_allclose(weigh_risk(risk, "epistemic", 1, 50), [1, 1, 10], rtol=1e-5)


def test_groups_are_drawn_equally_often():
    weights = weigh_groups(np.array([0, 0, 0, 2]))
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2])
