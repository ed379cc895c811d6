import jax
import numpy as np
from scipy import stats

from icm_jax.systems.risk.regression import measures
from icm_jax.systems.risk.regression.answers import Answer
from icm_jax.systems.risk.wrappers import Risk, combine


def answer(means, variances):
    """Of members with means and variances `[M, m]`."""
    parts = Risk(np.asarray(means, float)[..., None], np.asarray(variances, float)[..., None])
    return Answer(parts, jax.tree.map(lambda field: np.asarray(field, float), combine(parts)))


def test_two_members_that_disagree():
    # Means 0 and 2 with variance 1 each: mean 1, variance 1 + 2.
    found = measures.measure(answer([[0, 0], [2, 2]], np.ones((2, 2))), np.array([1.0, 5.0]), 0)
    np.testing.assert_allclose(found["rmse"], np.sqrt(8))
    one = stats.norm(1, np.sqrt(3))
    np.testing.assert_allclose(found["nll"], -one.logpdf([1, 5]).mean())
    mixture = (stats.norm(0).pdf([1, 5]) + stats.norm(2).pdf([1, 5])) / 2
    np.testing.assert_allclose(found["mixture_nll"], -np.log(mixture).mean())
    # 4 is 2.3 standard deviations, outside 90 %.
    assert found["coverage"] == 0.5
    np.testing.assert_allclose(found["width"], 2 * stats.norm.ppf(0.95) * np.sqrt(3))
    # Halves of one row promise nothing: all is inside.
    assert (found["conformal_coverage"], found["conformal_width"]) == (1, np.inf)
    assert set(found) == set(measures.MEASURES)


def test_of_a_single_row_nothing_is_calibrated():
    found = measures.measure(answer([[0.0]], [[1.0]]), np.array([0.5]), 0)
    assert found["rmse"] == 0.5
    assert np.isnan([found["conformal_coverage"], found["conformal_width"]]).all()


def test_conformal_intervals_are_calibrated_on_the_other_half():
    # Ten times too sure: of 40 rows, those of each half are covered by the other's errors.
    target = np.random.RandomState(0).standard_normal(40)
    whole = answer(np.zeros((1, 40)), np.full((1, 40), 0.01))
    found = measures.measure(whole, target, 3)
    order = np.random.RandomState(3).permutation(40)
    halves = np.abs(target[order[:20]]), np.abs(target[order[20:]])
    reach = [np.sort(half)[18] for half in halves]  # rank ceil(21 * 0.9) of 20
    inside = [(new <= r).mean() for new, r in zip(halves[::-1], reach, strict=True)]
    np.testing.assert_allclose(found["conformal_coverage"], np.mean(inside))
    np.testing.assert_allclose(found["conformal_width"], 2 * np.mean(reach))
    assert found["coverage"] < 0.3 < 0.8 < found["conformal_coverage"]


def test_curves_of_a_perfect_order():
    error = np.arange(1, 21.0)
    found = measures.curves(answer([np.zeros(20)], [error**2]), error)
    np.testing.assert_array_equal(found["sparsification"], found["oracle"])
    # Without the worst half the mean error is that of 1 to 10, of 1 to 20.
    np.testing.assert_allclose(found["oracle"][10], 5.5 / 10.5)
    # All are one standard deviation off: inside from the level 68.3 % on.
    np.testing.assert_array_equal(found["calibration"], measures.LEVELS > 0.683)


def test_what_is_known_of_the_cubic():
    x = np.linspace(-6, 6, 13)
    inside, sigma = np.abs(x) <= 4, 1 / (7 + x)
    risk = Risk(
        prediction=np.where(inside, 1.0, 50.0)[:, None],
        aleatoric=np.where(inside, sigma, 100)[:, None] ** 2,
        epistemic=np.abs(x)[:, None],
        density=np.abs(x),
    )
    found = measures.measure_truth(risk, np.zeros(13), sigma, inside)
    assert np.isnan(found.pop("beyond_by_novelty"))
    assert found == {
        "rmse_of_curve": 1.0,
        "noise_order": 1.0,
        "beyond_by_epistemic": 1.0,
        "beyond_by_density": 0.0,
    }


def test_means_over_splits_have_standard_errors():
    found = measures.over_splits([{"a": 1.0, "b": 1.0}, {"a": 3.0, "b": np.inf}])
    assert found == {"a": {"mean": 2.0, "error": 1.0}, "b": {"mean": np.inf, "error": None}}
    assert measures.over_splits([{"a": 1.0}]) == {"a": {"mean": 1.0, "error": None}}
