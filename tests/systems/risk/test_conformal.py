import numpy as np
import pytest
from scipy import stats

from icm_jax import risk
from icm_jax.evaluation import metrics
from icm_jax.systems.risk import conformal


def calibrated(scores, level):
    """The quantile of scores, as residuals of a prediction of 0 with variance 1."""
    zeros = np.zeros(len(scores))
    return conformal.calibrate(zeros, zeros + 1, scores, level).quantile


def test_quantile_is_an_order_statistic():
    # Scores 1, 6 / 2, 2, .5: in order .5, 1, 2, 3.
    prediction, variance = [10, 10, 10, 10], [1, 4, 1, 1]
    target = [11, 4, 8, 10.5]
    # Ranks ceil(5 * level): 1, 3, 3, 4.
    for level, expected in {0.2: 0.5, 0.5: 2, 0.6: 2, 0.8: 3}.items():
        found = conformal.calibrate(prediction, variance, target, level)
        assert found == conformal.Conformal(expected, level)


def test_quantile_of_few_examples_is_infinite():
    # ceil(9 * .9) = 9 of 8 examples; ceil(10 * .9) = 9 of 9, the largest.
    assert calibrated(np.arange(8.0), 0.9) == np.inf
    assert calibrated(np.arange(9.0), 0.9) == 8
    # ceil(2 * level) of one example.
    assert calibrated([3], 0.5) == 3
    assert calibrated([3], 0.51) == np.inf


def test_rank_is_not_moved_by_rounding():
    # 100 * .07 is 7.000000000000001 in floating point, and its rank 7.
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 100))
    assert calibrated(scores, 0.07) == 7
    assert calibrated(scores, 0.071) == 8
    assert calibrated(scores, 1e-12) == 1


def test_quantile_of_ties():
    # Rank 3 of 1, 1, 1, 2; what lies just there is inside.
    assert calibrated([1, -1, 2, 1], 0.6) == 1
    ends = conformal.interval(conformal.Conformal(1.0, 0.6), np.zeros(1), np.ones(1))
    assert metrics.interval_coverage(*ends, [1]) == 1


def test_interval():
    lower, upper = conformal.interval(conformal.Conformal(2.0, 0.9), [1, 5], [9, 0.25])
    # 1 -+ 2 * 3, 5 -+ 2 / 2.
    np.testing.assert_allclose([lower, upper], [[-5, 4], [7, 6]])
    lower, upper = conformal.interval(conformal.Conformal(np.inf, 0.9), [1, 5], [9, 0.25])
    np.testing.assert_array_equal([lower, upper], [[-np.inf] * 2, [np.inf] * 2])


def test_intervals_of_a_risk():
    """By the public name, of what a model says: sigma 2 and scores 1/2, 1, 3/2 of three rows."""
    target = np.array([1.0, -2.0, 3.0])
    kept = risk.Risk(np.zeros((3, 1)), aleatoric=np.full((3, 1), 3.0), epistemic=np.ones((3, 1)))
    found = risk.conformal.calibrate(kept.prediction[:, 0], kept.total()[:, 0], target, level=0.5)
    new = risk.Risk(np.full((1, 1), 7.0), aleatoric=np.full((1, 1), 9.0))
    ends = risk.conformal.interval(found, new.prediction[:, 0], new.total()[:, 0])
    np.testing.assert_allclose(ends, [[4], [10]])  # 7 -+ 1 * 3


def test_a_common_factor_of_sigma_cancels():
    random = np.random.default_rng(0)
    prediction, target = random.normal(size=(2, 50))
    variance = random.uniform(0.5, 2, size=50)
    plain, scaled = (
        conformal.interval(
            conformal.calibrate(prediction, factor * variance, target, 0.9),
            prediction,
            factor * variance,
        )
        for factor in (1, 1e-8)
    )
    np.testing.assert_allclose(plain, scaled)


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8, 0.9])
def test_each_of_exchangeable_scores_as_the_new_one(level):
    # The theorem: of 11 scores, each in turn is new to the other 10. It lies inside just if it is
    # among the ceil(11 level) smallest of all 11.
    scores = np.random.default_rng(1).exponential(size=11)
    inside = [score <= calibrated(np.delete(scores, i), level) for i, score in enumerate(scores)]
    assert sum(inside) == np.ceil(11 * level)
    # With ties at least as many.
    scores = np.round(2 * scores)
    inside = [score <= calibrated(np.delete(scores, i), level) for i, score in enumerate(scores)]
    assert sum(inside) >= np.ceil(11 * level)


def test_coverage_with_a_bad_prediction_and_sigma():
    # 10 examples calibrate, one is new: of level .9, ceil(9.9) = 10 of 11 are covered in the mean.
    # Errors are skewed and grow with x; the prediction is off, sigma too small and falls with x.
    trials = 2000
    random = np.random.default_rng(2)
    x = random.uniform(0.5, 2, size=(trials, 11))
    target = x**2 * random.exponential(size=x.shape)
    prediction, variance = -x, 1e-4 / x
    covered = 0
    for mean, spread, truth in zip(prediction, variance, target, strict=True):
        found = conformal.calibrate(mean[:10], spread[:10], truth[:10], 0.9)
        ends = conformal.interval(found, mean[10:], spread[10:])
        covered += metrics.interval_coverage(*ends, truth[10:])
    low, high = stats.binom.interval(0.999, trials, 10 / 11)
    assert low <= covered <= high
    # As Gaussians, those intervals are worth nothing.
    arrays = (prediction.ravel(), variance.ravel(), target.ravel())
    assert metrics.calibration_curve(*arrays, [0.9]) < 0.01


def test_a_score_of_nan_counts_as_infinite():
    assert calibrated([1, np.nan, 2], 0.5) == 2
    # Rank 4 of 1, 2, infinity, infinity.
    assert calibrated([1, np.nan, 2, np.nan], 0.7) == np.inf


def test_quantile_of_classes():
    # Scores .1, .4, .2, .7: the third of ceil(5 * .6) is .4.
    probabilities = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]]
    found = conformal.calibrate_classes(probabilities, [0, 0, 1, 1], 0.6)
    assert found == conformal.Conformal(1 - 0.6, 0.6)
    assert conformal.calibrate_classes(probabilities, [0, 0, 1, 1], 0.9).quantile == np.inf


def test_classes_in_set():
    probabilities = [[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.6, 0.3, 0.1], [0.38, 0.5, 0.12]]
    # At least .4, then at least .3; sets may be empty.
    found = conformal.classes_in_set(conformal.Conformal(1 - 0.4, 0.9), probabilities[:3])
    np.testing.assert_array_equal(found, [[1, 0, 0], [1, 0, 0], [1, 0, 0]])
    found = conformal.classes_in_set(conformal.Conformal(1 - 0.3, 0.9), probabilities)
    np.testing.assert_array_equal(found, [[1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 0]])
    found = conformal.classes_in_set(conformal.Conformal(1 - 0.65, 0.9), probabilities)
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    everything = conformal.classes_in_set(conformal.Conformal(np.inf, 0.9), probabilities)
    assert everything.all() and everything.dtype == bool


def test_coverage_of_sets_with_bad_probabilities():
    # Labels are skewed, the probabilities know nothing of them: still 10 of 11.
    trials = 2000
    random = np.random.default_rng(3)
    probabilities = random.dirichlet([1, 1, 5], size=(trials, 11))
    labels = random.choice(3, size=(trials, 11), p=[0.7, 0.2, 0.1])
    covered = 0
    for each, truth in zip(probabilities, labels, strict=True):
        found = conformal.calibrate_classes(each[:10], truth[:10], 0.9)
        covered += conformal.classes_in_set(found, each[10:])[0, truth[10]]
    low, high = stats.binom.interval(0.999, trials, 10 / 11)
    assert low <= covered <= high


TWO, THREE = np.ones(2), np.ones(3)
PAIR, FOUND = np.full((2, 2), 0.5), conformal.Conformal(1.0, 0.9)


@pytest.mark.parametrize(
    "function, arguments, message",
    [
        (conformal.calibrate, (TWO, TWO, THREE, 0.9), r"target: the shape is \[3\]"),
        (conformal.calibrate, (TWO, 0 * TWO, TWO, 0.9), "variance: 0.0 is not allowed"),
        (conformal.calibrate, ([], [], [], 0.9), r"prediction: the shape is \[0\]"),
        (
            conformal.calibrate,
            (TWO, TWO, TWO, 1),
            "level: 1 is not allowed; .* above 0 and below 1",
        ),
        (conformal.calibrate, (TWO, TWO, TWO, 90), "level: 90 is not allowed"),
        (conformal.interval, (FOUND, TWO, THREE), r"variance: the shape is \[3\]; with prediction"),
        (conformal.interval, (FOUND, TWO, -TWO), "variance: -1.0 is not allowed"),
        (conformal.calibrate_classes, (PAIR, [0], 0.9), r"labels: the shape is \[1\]"),
        (conformal.calibrate_classes, (PAIR, [0, 2], 0.9), r"labels: expected indices in \[0, 2\)"),
        (conformal.calibrate_classes, (PAIR, [0, 1], 0), "level: 0 is not allowed"),
        (conformal.classes_in_set, (FOUND, TWO), r"probabilities: the shape is \[2\]"),
        (conformal.classes_in_set, (FOUND, 4 * PAIR), "probabilities: .* example 0 add up to 4"),
    ],
)
def test_what_cannot_be_calibrated_is_named(function, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
