import itertools

import numpy as np
import pytest
from scipy import stats

from icm_jax.evaluation import ranking


def tied(key, size):
    """Scores of 20 values at most."""
    return np.random.default_rng(key).integers(20, size=size) / 4


def test_auroc():
    # 3 beats 1 and 0; 1 ties with 1 and beats 0; 2 beats both: 5 1/2 of 6 pairs.
    assert ranking.auroc([3, 1, 2], [1, 0]) == pytest.approx(5.5 / 6)


def test_auroc_of_perfect_reversed_and_equal_scores():
    assert ranking.auroc([2, 3], [0, 1, 1]) == 1
    assert ranking.auroc([0, 1], [2, 3, 4]) == 0
    assert ranking.auroc([7, 7], [7, 7, 7]) == 0.5


def test_auroc_by_all_pairs():
    positives, negatives = tied(0, 70), tied(1, 50) - 1
    above = positives[:, None] > negatives
    equal = positives[:, None] == negatives
    assert equal.any()
    expected = (above + equal / 2).mean()
    assert ranking.auroc(positives, negatives) == pytest.approx(expected, abs=1e-12)


def test_auroc_is_that_of_scikit_learn():
    referee = pytest.importorskip("sklearn.metrics")
    positives, negatives = tied(2, 70), tied(3, 50) - 1
    labels = np.repeat([1, 0], [70, 50])
    expected = referee.roc_auc_score(labels, np.concatenate([positives, negatives]))
    assert ranking.auroc(positives, negatives) == pytest.approx(expected, abs=1e-12)


def test_spearman():
    # 1 - 6 (0 + 1 + 1 + 0) / (4 (16 - 1)).
    assert ranking.spearman([1, 20, 300, 4000], [-1, 3, 2, 4]) == pytest.approx(0.8)
    assert ranking.spearman([1, 2, 9], [5, 1, 0]) == pytest.approx(-1)


def test_spearman_of_ties():
    # Ranks 1.5, 1.5, 3 and 1, 2, 3, less 2: (1/2 + 1) / sqrt(3/2 * 2).
    assert ranking.spearman([4, 4, 5], [1, 2, 3]) == pytest.approx(1.5 / np.sqrt(3))
    first, second = tied(4, 60), tied(5, 60)
    expected = stats.spearmanr(first, second).statistic
    assert ranking.spearman(first, second) == pytest.approx(expected, abs=1e-12)


def test_spearman_with_a_constant_is_nan():
    assert np.isnan(ranking.spearman([1, 1, 1], [1, 2, 3]))
    assert np.isnan(ranking.spearman([1], [2]))


def test_sparsification():
    # Left out from the first on: (4 + 1 + 3 + 2) / 4, (1 + 3 + 2) / 3, (3 + 2) / 2, 2.
    found = ranking.sparsification([4, 1, 3, 2], [9, 7, 2, 1], [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(found, [2.5, 2, 2.5, 2])


def test_sparsification_leaves_out_whole_examples():
    # floor of .24 * 4, .26 * 4, .999 * 4.
    found = ranking.sparsification([4, 1, 3, 2], [9, 7, 2, 1], [0.24, 0.26, 0.999])
    np.testing.assert_allclose(found, [2.5, 2, 2])
    # 0.29 * 100 is 28.999999999999996; without 29 of 100, 1 + ... + 71 are left: mean 36.
    order = np.arange(1, 101)
    assert ranking.sparsification(order, order, [0.29]) == pytest.approx(36)


def test_sparsification_of_equal_uncertainties_is_the_mean_over_orders():
    error = np.array([4, 1, 3, 2])
    either = [ranking.sparsification(error, u, [0.25, 0.5]) for u in ([3, 2, 1, 0], [2, 3, 1, 0])]
    found = ranking.sparsification(error, [2, 2, 1, 0], [0.25, 0.5])
    np.testing.assert_allclose(found, np.mean(either, axis=0))


def test_ause():
    # The curve above over 2.5; the oracle's is 10/4, 6/3, 3/2, 1: gaps 0, 0, 1 and 1.
    assert ranking.ause([4, 1, 3, 2], [9, 7, 2, 1]) == pytest.approx((0 + 0 + 1 + 1) / 4 / 2.5)
    # The worst order leaves out 1, 2, 3: 10/4, 9/3, 7/2, 4, gaps 0, 1, 2, 3.
    assert ranking.ause([4, 1, 3, 2], [1, 4, 2, 3]) == pytest.approx((0 + 1 + 2 + 3) / 4 / 2.5)


def test_ause_of_a_perfect_order_is_zero():
    error = np.abs(np.random.default_rng(0).normal(size=200))
    assert ranking.ause(error, error) == 0
    assert ranking.ause(error, np.exp(3 * error)) == 0
    assert ranking.ause([0, 0], [1, 2]) == 0


def test_ause_knows_no_units():
    error, uncertainty = tied(6, 50), tied(7, 50)
    found = ranking.ause(error, uncertainty)
    assert found > 0.1
    assert ranking.ause(1000 * error, np.sqrt(uncertainty)) == pytest.approx(found)


def test_ause_of_random_is_the_mean_over_all_orders():
    error = np.array([4, 1, 3, 2])
    # 2.5 less the oracle's 10/4, 6/3, 3/2, 1.
    assert ranking.ause_of_random(error) == pytest.approx((0 + 0.5 + 1 + 1.5) / 4 / 2.5)
    orders = itertools.permutations(range(4))
    mean = np.mean([ranking.ause(error, order) for order in orders])
    assert ranking.ause_of_random(error) == pytest.approx(mean)
    assert ranking.ause(error, np.full(4, 7)) == pytest.approx(mean)


def test_ause_of_a_random_order_of_exponential_errors():
    # The p smallest have a mean of 1 + (1 - p) log(1 - p) / p, whose integral over p is
    # 2 - pi^2 / 6; a random order stays at 1.
    error = -np.log(1 - (np.arange(4000) + 0.5) / 4000)
    assert ranking.ause_of_random(error) == pytest.approx(np.pi**2 / 6 - 1, abs=1e-3)
    random = np.random.default_rng(1).normal(size=4000)
    assert ranking.ause(error, random) == pytest.approx(np.pi**2 / 6 - 1, abs=0.04)


def test_binned():
    # Sorted: 2, 4, 5 | 3, 1.
    found = ranking.binned([1, 2, 3, 4, 5], [50, 10, 40, 20, 30], bins=2)
    np.testing.assert_allclose(found, [11 / 3, 2])


def test_binned_accuracy_by_decile():
    correct = np.arange(40) >= 20
    shuffled = np.random.default_rng(0).permutation(40)
    found = ranking.binned(correct[shuffled], shuffled - 100)
    np.testing.assert_array_equal(found, [0] * 5 + [1] * 5)


def test_binned_does_not_see_the_order_of_equal_scores():
    # Both examples of score 0 are the mean of 1 and 0, whichever comes first.
    for values in ([1, 0, 1, 1], [0, 1, 1, 1]):
        found = ranking.binned(values, [0, 0, 1, 1], bins=4)
        np.testing.assert_array_equal(found, [0.5, 0.5, 1, 1])


def test_effective_sample_size():
    assert ranking.effective_sample_size([2, 2, 2, 2]) == 4
    assert ranking.effective_sample_size([5, 0, 0]) == 1
    # 4^2 / (9 + 1), at every scale.
    for scale in (1, 1e-200, 1e200):
        found = ranking.effective_sample_size(scale * np.array([3, 1]))
        assert found == pytest.approx(1.6)


NAN = np.array([0.0, np.nan])
ONES = np.ones(2)


@pytest.mark.parametrize(
    "function, arguments",
    [
        (ranking.auroc, (NAN, ONES)),
        (ranking.auroc, (ONES, NAN)),
        (ranking.spearman, (NAN, [0, 1])),
        (ranking.sparsification, (NAN, [0, 1], [0])),
        (ranking.sparsification, (ONES, NAN, [0.5])),
        (ranking.ause, (NAN, ONES)),
        (ranking.ause, (ONES, NAN)),
        (ranking.ause_of_random, (NAN,)),
        (ranking.binned, (ONES, NAN, 1)),
        (ranking.binned, (NAN, ONES, 1)),
        (ranking.effective_sample_size, (NAN + 1,)),
    ],
)
def test_nan_gives_nan(function, arguments):
    assert np.isnan(function(*arguments)).all()


TWO, THREE, NONE = np.ones(2), np.ones(3), np.ones(0)


@pytest.mark.parametrize(
    "function, arguments, message",
    [
        (ranking.auroc, (NONE, TWO), r"positives: the shape is \[0\]; it must be \[P\], not empty"),
        (ranking.auroc, (TWO, TWO[:, None]), r"negatives: the shape is \[2, 1\]; it must be \[Q\]"),
        (ranking.spearman, (TWO, THREE), r"second: the shape is \[3\]; with first .*\[2\]"),
        (ranking.sparsification, (TWO, THREE, [0]), r"uncertainty: the shape is \[3\]"),
        (
            ranking.sparsification,
            ([1, -1], TWO, [0]),
            "error: -1.0 is not allowed; none .* below 0",
        ),
        (ranking.sparsification, (TWO, TWO, [1]), r"fractions: \[1.0\] is not allowed"),
        (ranking.sparsification, (TWO, TWO, 0.5), r"fractions: the shape is \[\]"),
        (ranking.ause, (TWO, NONE), r"uncertainty: the shape is \[0\]"),
        (ranking.ause, (-TWO, TWO), "error: -1.0 is not allowed"),
        (ranking.ause_of_random, (NONE,), r"error: the shape is \[0\]"),
        (ranking.binned, (TWO, THREE, 1), r"by: the shape is \[3\]; with values it must be \[2\]"),
        (
            ranking.binned,
            (TWO, TWO),
            "bins: 10 is not allowed; it must be from 1 to the 2 examples",
        ),
        (ranking.binned, (TWO, TWO, 0), "bins: 0 is not allowed"),
        (ranking.effective_sample_size, (NONE,), r"weights: the shape is \[0\]"),
        (ranking.effective_sample_size, ([1, -1],), "weights: -1.0 is not allowed"),
        (ranking.effective_sample_size, ([0, 0],), "weights: all are 0"),
    ],
)
def test_what_cannot_be_measured_is_named(function, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
