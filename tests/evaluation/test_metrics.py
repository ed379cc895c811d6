import numpy as np
import pytest
from scipy import integrate, special, stats

from icm_jax.evaluation import metrics

HALF_LOG_TAU = 0.9189385332046727  # 1/2 log 2 pi


def softmax(key, examples, classes):
    """Probabilities `[N, L]` and labels `[N]` that have nothing to do with them."""
    random = np.random.default_rng(key)
    probabilities = random.dirichlet(np.ones(classes), examples)
    return probabilities, random.integers(classes, size=examples)


def test_rmse():
    # Errors 0, 2, -3: the root of (0 + 4 + 9) / 3.
    assert metrics.rmse([1, 2, 3], [1, 0, 6]) == pytest.approx(np.sqrt(13 / 3))


def test_gaussian_nll():
    # log 2 pi / 2, and log 2 pi / 2 + log 4 / 2 + 2^2 / 4 / 2.
    found = metrics.gaussian_nll([0, 1], [1, 4], [0, 3])
    assert found == pytest.approx(HALF_LOG_TAU + (0 + np.log(2) + 1 / 2) / 2)


def test_gaussian_nll_of_a_target_in_other_units():
    mean, variance, target = np.array([[0.3, -1], [0.5, 2], [1.1, 0.2]])
    found = metrics.gaussian_nll(7 * mean + 2, 49 * variance, 7 * target + 2)
    assert found == pytest.approx(metrics.gaussian_nll(mean, variance, target) + np.log(7))


def test_what_is_given_in_32_bits_is_computed_in_64():
    # The squared error of 4e50 would be infinite in float32.
    prediction, variance, target = np.array([[1e25], [1e30], [3e25]], np.float32)
    found = metrics.gaussian_nll(prediction, variance, target)
    assert found == pytest.approx(HALF_LOG_TAU + np.log(1e30) / 2 + 4e50 / 1e30 / 2, rel=1e-6)
    assert metrics.rmse(prediction, target) == pytest.approx(2e25, rel=1e-6)


def test_mixture_nll():
    # Example 0: the mean of N(0; 0, 1) and N(0; 0, 4), (1 + 1/2) / 2 of 1 / sqrt(2 pi).
    # Example 1: both components are one deviation away, log 2 pi / 2 + 1/2.
    found = metrics.mixture_nll([[0, 3], [0, 5]], [[1, 1], [4, 1]], [0, 4])
    assert found == pytest.approx(HALF_LOG_TAU + (-np.log(0.75) + 1 / 2) / 2)


def test_mixture_nll_far_away_does_not_underflow():
    # The nearer component alone: exp(-100^2 / 2) is 0 in float64.
    found = metrics.mixture_nll([[100.0], [200.0]], [[1.0], [1.0]], [0.0])
    assert found == pytest.approx(HALF_LOG_TAU + np.log(2) + 5000, rel=1e-12)


def test_mixture_nll_of_one_component_is_gaussian():
    mean, variance, target = [0.1, -2.0], [0.3, 2.0], [1.0, 0.5]
    found = metrics.mixture_nll([mean], [variance], target)
    assert found == pytest.approx(metrics.gaussian_nll(mean, variance, target))


def test_gaussian_crps_at_the_mean():
    # sigma (2 / sqrt(2 pi) - 1 / sqrt(pi)) = sigma (sqrt 2 - 1) / sqrt(pi), of sigma 1 and 3.
    found = metrics.gaussian_crps([0, 5], [1, 9], [0, 5])
    assert found == pytest.approx(2 * (np.sqrt(2) - 1) / np.sqrt(np.pi))


@pytest.mark.parametrize("mean, variance, target", [(0, 1, 0.7), (2, 0.25, 1), (-1, 9, 6)])
def test_gaussian_crps_is_its_integral(mean, variance, target):
    def distribution(y):
        return stats.norm.cdf(y, mean, np.sqrt(variance))

    below, _ = integrate.quad(lambda y: distribution(y) ** 2, -40, target)
    above, _ = integrate.quad(lambda y: (1 - distribution(y)) ** 2, target, 40)
    found = metrics.gaussian_crps([mean], [variance], [target])
    assert found == pytest.approx(below + above, abs=1e-7)


def test_gaussian_crps_of_a_small_variance_is_the_absolute_error():
    found = metrics.gaussian_crps([1, 2], [1e-20, 1e-20], [4, 1])
    assert found == pytest.approx((3 + 1) / 2)


def test_calibration_curve():
    # Deviations 0, 1/2, 3/2 and 5/2 from the mean; one deviation is 68.3 %, two are 95.4 %.
    target, levels = np.array([0, 1, -3, 5]), [0, 0.683, 0.954, 1]
    found = metrics.calibration_curve(np.zeros(4), np.full(4, 4.0), target, levels)
    np.testing.assert_array_equal(found, [1 / 4, 2 / 4, 3 / 4, 4 / 4])


def test_calibration_curve_of_calibrated_gaussians_is_the_diagonal():
    levels = np.linspace(0.05, 0.95, 19)
    quantiles = special.ndtri((np.arange(1000) + 0.5) / 1000)
    mean, variance = np.linspace(-3, 3, 1000), np.linspace(0.1, 5, 1000)
    target = mean + np.sqrt(variance) * quantiles
    found = metrics.calibration_curve(mean, variance, target, levels)
    np.testing.assert_allclose(found, levels, atol=1.01e-3)
    # Half the deviation: an interval of z deviations has the share of z / 2.
    found = metrics.calibration_curve(mean, variance / 4, target, levels)
    narrow = 2 * special.ndtr(special.ndtri((1 + levels) / 2) / 2) - 1
    np.testing.assert_allclose(found, narrow, atol=1.01e-3)


def test_interval_coverage_and_width():
    # Inside, at the end, above, below: 2 of 4. Widths 2, 1, 1, 4.
    lower, upper = np.array([-1, 0, 0, 3]), np.array([1, 1, 1, 7])
    assert metrics.interval_coverage(lower, upper, [0, 1, 1.5, 2]) == 2 / 4
    assert metrics.interval_width(lower, upper) == (2 + 1 + 1 + 4) / 4


def test_interval_of_everything():
    assert metrics.interval_coverage([-np.inf], [np.inf], [3]) == 1
    assert metrics.interval_width([-np.inf], [np.inf]) == np.inf


def test_expected_calibration_error():
    probabilities = [[0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.9, 0.1, 0], [0.7, 0.2, 0.1]]
    labels = [0, 1, 0, 2]  # right, wrong, right, wrong
    # (0, 1/2]: accuracy 1/2, confidence .45. (1/2, 1]: 1/2 and .8. Two examples each.
    found = metrics.expected_calibration_error(probabilities, labels, bins=2)
    assert found == pytest.approx((2 * 0.05 + 2 * 0.3) / 4)
    # One bin: accuracy 1/2, confidence (.5 + .4 + .9 + .7) / 4 = .625.
    found = metrics.expected_calibration_error(probabilities, labels, bins=1)
    assert found == pytest.approx(0.125)
    # Fifteen bins: .65 and right lies in another one than .69 and wrong, of ten in the same.
    found = metrics.expected_calibration_error([[0.65, 0.35], [0.31, 0.69]], [0, 0])
    assert found == pytest.approx((0.35 + 0.69) / 2)


def test_expected_calibration_error_by_a_loop():
    probabilities, _ = softmax(0, 300, 4)
    confidence = probabilities.max(axis=1)
    # Right at one rate, whatever the confidence: too modest below it and too sure above.
    right = np.random.default_rng(1).random(300) < 0.6
    labels = np.where(right, probabilities.argmax(axis=1), probabilities.argmin(axis=1))
    total = 0
    for index in range(15):
        inside = (confidence > index / 15) & (confidence <= (index + 1) / 15)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
    found = metrics.expected_calibration_error(probabilities, labels)
    assert found == pytest.approx(total)
    assert found > 1.5 * abs(right.mean() - confidence.mean())


def test_brier():
    # (1 - .7)^2 + .3^2 = .18 and (1 - .2)^2 + .8^2 = 1.28.
    assert metrics.brier([[0.7, 0.3], [0.2, 0.8]], [0, 0]) == pytest.approx((0.18 + 1.28) / 2)
    # Sure and right 0, sure and wrong 2, uniform over three (2/3)^2 + 2 (1/3)^2 = 2/3.
    assert metrics.brier([[1, 0, 0]], [0]) == 0
    assert metrics.brier([[1, 0, 0]], [2]) == 2
    assert metrics.brier([[1 / 3, 1 / 3, 1 / 3]], [1]) == pytest.approx(2 / 3)


def test_brier_of_two_classes_is_twice_that_of_scikit_learn():
    referee = pytest.importorskip("sklearn.metrics")
    probabilities, labels = softmax(1, 200, 2)
    expected = referee.brier_score_loss(labels, probabilities[:, 1])
    assert metrics.brier(probabilities, labels) == pytest.approx(2 * expected)


NAN = np.array([0.0, np.nan])
ONES = np.ones(2)


@pytest.mark.parametrize(
    "function, arguments",
    [
        (metrics.rmse, (NAN, ONES)),
        (metrics.gaussian_nll, (ONES, NAN + 1, ONES)),
        (metrics.mixture_nll, ([NAN, ONES], [ONES, ONES], ONES)),
        (metrics.gaussian_crps, (ONES, ONES, NAN)),
        (metrics.calibration_curve, (NAN, ONES, ONES, [0.5])),
        (metrics.interval_coverage, (NAN, ONES, ONES)),
        (metrics.interval_coverage, (ONES, ONES, NAN)),
        (metrics.interval_width, (NAN, ONES)),
        (metrics.expected_calibration_error, ([[np.nan, np.nan]], [0])),
        (metrics.brier, ([[np.nan, np.nan]], [0])),
    ],
)
def test_nan_gives_nan(function, arguments):
    assert np.isnan(function(*arguments)).all()


TWO, THREE, NONE = np.ones(2), np.ones(3), np.ones(0)
PAIR = np.full((2, 2), 0.5)


@pytest.mark.parametrize(
    "function, arguments, message",
    [
        (
            metrics.rmse,
            (TWO, THREE),
            r"target: the shape is \[3\]; with prediction it must be \[2\]",
        ),
        (metrics.rmse, (TWO[:, None], TWO), r"prediction: the shape is \[2, 1\]; it must be \[N\]"),
        (metrics.rmse, (NONE, NONE), r"prediction: the shape is \[0\]; it must be .* not empty"),
        (metrics.gaussian_nll, (TWO, None, TWO), r"variance: the shape is \[\]; it must be \[N\]"),
        (metrics.gaussian_nll, (TWO, [1, 0], TWO), "variance: 0.0 is not allowed; all .* above 0"),
        (metrics.gaussian_crps, (TWO, [1, -2], TWO), "variance: -2.0 is not allowed"),
        (metrics.gaussian_crps, (TWO, TWO, THREE), r"target: the shape is \[3\]"),
        (metrics.mixture_nll, (TWO, TWO, TWO), r"means: the shape is \[2\]; it must be \[M, N\]"),
        (
            metrics.mixture_nll,
            (PAIR, PAIR[:1], TWO),
            r"variances: .*\[1, 2\]; with means .*\[2, 2\]",
        ),
        (metrics.mixture_nll, (PAIR, PAIR, THREE), r"target: .*\[3\]; with means it must be \[2\]"),
        (metrics.mixture_nll, (PAIR, -PAIR, TWO), "variances: -0.5 is not allowed"),
        (metrics.calibration_curve, (TWO, TWO, TWO, 0.5), r"levels: the shape is \[\]"),
        (metrics.calibration_curve, (TWO, TWO, TWO, [90]), r"levels: \[90.0\] is not allowed"),
        (metrics.calibration_curve, (TWO, 0 * TWO, TWO, [0.9]), "variance: 0.0 is not allowed"),
        (metrics.interval_coverage, (TWO, TWO, THREE), r"target: the shape is \[3\]"),
        (metrics.interval_coverage, (TWO, [1, 0], TWO), "upper: 0.0 of example 1 .* is 1.0"),
        (metrics.interval_width, (TWO, THREE), r"upper: the shape is \[3\]"),
        (metrics.interval_width, (TWO, [0, 1]), "upper: 0.0 of example 0 is not allowed"),
        (metrics.expected_calibration_error, (TWO, [0, 0]), r"probabilities: .*\[N, L\]"),
        (metrics.expected_calibration_error, (PAIR, [0, 0], 0), "bins: 0 is not allowed"),
        (
            metrics.expected_calibration_error,
            (PAIR[:0], []),
            r"probabilities: the shape is \[0, 2\]",
        ),
        (metrics.brier, (PAIR, [0]), r"labels: the shape is \[1\]; with probabilities .*\[2\]"),
        (metrics.brier, (PAIR, [0, 2]), r"labels: expected indices in \[0, 2\), got 0 to 2"),
        (metrics.brier, (PAIR, [0.0, 1.0]), "labels: float64 is not allowed; .* integers"),
        (metrics.brier, (3 * PAIR, [0, 1]), "probabilities: those of example 0 add up to 3;"),
        (metrics.brier, ([[0.5, 0.5], [1.5, -0.5]], [0, 1]), "probabilities: -0.5 is not allowed"),
    ],
)
def test_what_cannot_be_measured_is_named(function, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
