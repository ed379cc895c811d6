import numpy as np
import pytest

from icm_jax.systems.icm import specialization


def test_win_matrix_counts_fractions_of_each_mechanism():
    winner = np.array([0, 0, 2, 1, 1, 1])
    mechanism = np.array([0, 0, 0, 1, 1, 3])
    wins = specialization.win_matrix(winner, mechanism, mechanisms=4, experts=3)
    expected = [
        [2 / 3, 0, 1 / 3],  # three images: experts 0, 0, 2
        [0, 1, 0],  # two images, both expert 1
        [0, 0, 0],  # no images
        [0, 1, 0],  # one image, expert 1
    ]
    np.testing.assert_array_equal(wins, expected)


@pytest.mark.parametrize(
    "winner, mechanism, name",
    [([0, 3], [0, 0], "winner"), ([-1, 0], [0, 0], "winner"), ([0, 0], [0, 2], "mechanism")],
)
def test_win_matrix_refuses_indices_out_of_range(winner, mechanism, name):
    with pytest.raises(ValueError, match=name):
        specialization.win_matrix(np.array(winner), np.array(mechanism), mechanisms=2, experts=3)


def test_win_matrix_refuses_other_shapes():
    with pytest.raises(AssertionError):
        specialization.win_matrix(np.zeros(3, int), np.zeros(2, int), mechanisms=1, experts=1)


@pytest.mark.parametrize(
    "wins, expected",
    [
        # Each its own expert, exactly at the threshold and above.
        ([[0.9, 0.1], [0.0, 1.0]], [True, True]),
        # Just below the threshold.
        ([[0.89, 0.11], [0.0, 1.0]], [False, True]),
        # Expert 0 has both mechanisms: neither is identified.
        ([[1.0, 0.0], [0.95, 0.05]], [False, False]),
        # Expert 0 is the main winner of mechanism 1 too, though at 60 % only.
        ([[1.0, 0.0], [0.6, 0.4]], [False, False]),
        # Expert 0 has 40 % of mechanism 1, but expert 1 is its main winner.
        ([[1.0, 0.0], [0.4, 0.6]], [True, False]),
        # The first place of mechanism 1 is shared by expert 0, whichever column comes first.
        ([[1.0, 0.0], [0.5, 0.5]], [False, False]),
        ([[0.0, 1.0], [0.5, 0.5]], [False, False]),
        # A mechanism without images is not identified, and takes no expert away.
        ([[1.0, 0.0], [0.0, 0.0]], [True, False]),
    ],
)
def test_identified(wins, expected):
    np.testing.assert_array_equal(specialization.identified(np.array(wins)), expected)


def test_nine_images_of_ten_are_enough():
    # 9 / 10 and 900 / 1000 must not fall below 0.9 by rounding.
    for images in (10, 1000):
        winner = np.r_[np.zeros(images * 9 // 10, int), np.ones(images // 10, int)]
        wins = specialization.win_matrix(winner, np.zeros(images, int), 1, 2)
        assert specialization.identified(wins).all()


def test_identified_takes_another_threshold():
    wins = np.array([[0.6, 0.4], [0.3, 0.7]])
    np.testing.assert_array_equal(specialization.identified(wins, 0.65), [False, True])


def test_idle():
    # Of three mechanisms' images expert 1 wins a third of a hundredth, expert 2 nothing.
    wins = np.array([[0.99, 0.01, 0], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(specialization.idle(wins), [False, True, True])
    np.testing.assert_array_equal(specialization.idle(wins, 0.003), [False, False, True])


def test_first_kept():
    found = [[0, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 1, 1]]
    # Of the two evaluations of step 20 the last counts.
    kept = specialization.first_kept([0, 10, 20, 20], found)
    assert kept == [10, None, 20, 20]
    assert specialization.first_kept([], []) == []


@pytest.mark.parametrize(
    "wins, expected",
    [
        # Greedy would give mechanism 0 expert 0: 0.6 + 0.0; crossed it is 0.4 + 0.9 = 1.3.
        ([[0.6, 0.4], [0.9, 0.1]], [1, 0]),
        # M > E: 0.9 + 0.8 is the best pair of rows, mechanism 1 is left over.
        ([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]], [0, -1, 1]),
        # M < E: expert 1 is left over.
        ([[0.0, 0.1, 0.9], [0.8, 0.2, 0.0]], [2, 0]),
    ],
)
def test_match(wins, expected):
    np.testing.assert_array_equal(specialization.match(np.array(wins)), expected)


def test_a_mechanism_has_an_expert_of_its_own_where_its_match_wins_most():
    # Expert 0 is the main winner of two mechanisms; the second is matched with 1, which wins less.
    wins = np.array([[0.9, 0.1, 0], [0.7, 0.3, 0], [0, 0, 1]])
    assert specialization.own_expert(wins).tolist() == [0, -1, 2]
    # Three mechanisms and two experts: one is left over. Nobody won anything of the last.
    assert specialization.own_expert(wins[:, :2]).tolist() == [0, -1, -1]
    assert specialization.own_expert(np.zeros((2, 2))).tolist() == [-1, -1]


def test_experts_of_one_mechanism_are_one_mechanism_found():
    def found(rows, winner, used):
        return specialization.mechanisms_found(np.array(rows), np.array(winner), used)

    # On what one of experts 0 and 2 wins the other scores 0.5 of 0.8 on average; expert 1 scores
    # 0.9 on what 0 wins, but none of them on what 1 wins; expert 3 is dropped.
    nan = np.nan
    rows = [
        [0.8, 0.9, 0.2, nan],
        [0.8, 0.9, 0.8, nan],
        [0.1, 0.9, 0.1, nan],
        [0.4, 0.1, 0.8, nan],
    ]
    winner = [0, 0, 1, 2]
    assert found(rows, winner, [0, 1, 2]) == 2
    assert found(rows, winner, [0, 1]) == 2
    assert found(rows, winner, [0]) == 1
    assert found(rows, winner, []) == 0
    rows[0][2] = rows[1][2] = 0.2  # a quarter: less than a third
    assert found(rows, winner, [0, 1, 2]) == 3
    # Two that are each like a third are one with it, though not like each other.
    chain = [[0.9, 0.5, 0.0], [0.5, 0.9, 0.5], [0.0, 0.5, 0.9]]
    assert found(chain, [0, 1, 2], [0, 1, 2]) == 1
