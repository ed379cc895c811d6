"""The bank of latents and both densities, against NumPy, SciPy and planted truth."""

import functools

import jax
import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import spearmanr
from systems.risk.wrappers.nets import normal, program, same

from icm_jax.systems.risk.wrappers import bank as banks
from icm_jax.systems.risk.wrappers.bank import Bank

close = np.testing.assert_allclose
push = program(banks.push)
log_histogram = program(banks.log_histogram, static_argnums=(2, 3))
push_whitened = program(banks.push_whitened)
log_density_of_whitened = program(banks.log_density_of_neighbours, static_argnums=2)


@functools.partial(program, static_argnums=2)
def log_density(bank, asked, k):
    return banks.log_density_of_neighbours(banks.whiten(bank), asked, k)


def rows(*numbers):
    return np.array(numbers, np.float32)[:, None]


def empty(size, width):
    return Bank(np.zeros((size, width), np.float32), np.int32(0))


def filled(latents):
    return Bank(latents, np.int32(len(latents)))


def poisoned(latents):
    """A bank that is not full: rows that do not count lie far out, and near what counts."""
    far = np.full((5, latents.shape[1]), 1e6, np.float32)
    return Bank(np.concatenate([latents, far, latents[:20]]), np.int32(len(latents)))


def test_the_oldest_makes_room():
    bank, none = program(lambda: (banks.empty_bank(4, 1), banks.empty_bank(4, 1).filled))()
    same(bank, empty(4, 1))
    np.testing.assert_array_equal(none, [False] * 4)
    bank = push(bank, rows(1, 2, 3))
    assert bank.count == 3
    bank = push(bank, rows(4, 5, 6))  # 4 into the last row, 5 and 6 over 1 and 2
    np.testing.assert_array_equal(bank.latents[:, 0], [5, 6, 3, 4])
    assert bank.count == 6
    bank = push(bank, rows(7, 8, 9))
    np.testing.assert_array_equal(bank.latents[:, 0], [9, 6, 7, 8])


def test_of_more_than_the_bank_holds_the_last_stay():
    bank = push(
        Bank(np.zeros((4, 1), np.float32), np.int32(1)),
        np.arange(10, 20, dtype=np.float32)[:, None],
    )
    # Number 1 + 9 went to row 10 % 4.
    np.testing.assert_array_equal(bank.latents[:, 0], [17, 18, 19, 16])
    assert bank.count == 11


def test_what_does_not_count_is_left_out():
    bank = push(empty(3, 1), rows(1, 2, 3, 4), np.array([True, False, True, False]))
    np.testing.assert_array_equal(bank.latents[:, 0], [1, 3, 0])
    assert bank.count == 2
    bank = push(bank, rows(5, 6, 7, 8), np.array([False, True, True, False]))
    np.testing.assert_array_equal(bank.latents[:, 0], [7, 3, 6])
    same = push(bank, rows(5, 6, 7, 8), np.zeros(4, bool))
    np.testing.assert_array_equal(same.latents, bank.latents)
    assert same.count == bank.count == 4


def test_one_by_one_is_all_at_once():
    latents = normal(0, 11, 2)
    counts = np.arange(11) % 3 != 1
    whole = push(empty(5, 2), latents, counts)

    def one(bank, row):
        return banks.push(bank, row[0][None], row[1][None]), None

    alone = program(lambda bank: jax.lax.scan(one, bank, (latents, counts))[0])(empty(5, 2))
    np.testing.assert_array_equal(whole.latents, alone.latents)
    np.testing.assert_array_equal(whole.latents[:, 0], latents[counts][[5, 6, 2, 3, 4], 0])


def by_numpy(known, asked, bins, smoothing):
    """Log shares of `asked` in each number's `numpy.histogram` of `known`, `[B, F]`."""
    logs = np.empty(asked.shape)
    for number, (column, values) in enumerate(zip(known.T, asked.T, strict=True)):
        counts, edges = np.histogram(column, bins)
        share = counts / len(column) + smoothing
        place = np.clip(np.digitize(values, edges) - 1, 0, bins - 1)
        logs[:, number] = np.log(share / share.sum())[place]
    return logs


def test_shares_are_those_of_numpy():
    """In a bank that is not full: zeros or what lies there never count."""
    # Zero is in none of the bins of two, and many are outside of all bins.
    known, asked = normal(1, 60, 3) + [-9, 0, 9], 2 * normal(2, 40, 3) + [-9, 0, 9]
    known, asked = np.float32(known), np.float32(asked)
    each = by_numpy(known, asked, 7, 1e-3)
    log = log_histogram(poisoned(known), asked, 7, 1e-3)
    close(log, each.sum(1), rtol=1e-5)  # logs of independent numbers add
    for number in range(3):
        of_one = log_histogram(poisoned(known[:, [number]]), asked[:, [number]], 7, 1e-3)
        close(of_one, each[:, number], rtol=1e-5)


def test_shares_by_hand():
    # Two bins of [0, 4]: 0 and 1 in the first, 3, 3 and 4 in the second.
    log = log_histogram(filled(rows(0, 1, 3, 3, 4)), rows(-9, 1.9, 2.1, 9), 2, 1e-9)
    close(np.exp(log), [0.4, 0.4, 0.6, 0.6], rtol=1e-6)
    # With .1 on each share: .5 and .7 of 1.2.
    log = log_histogram(filled(rows(0, 1, 3, 3, 4)), rows(0, 4), 2, 0.1)
    close(np.exp(log), [5 / 12, 7 / 12], rtol=1e-6)
    # A number that never varied is in one bin.
    close(log_histogram(filled(rows(2, 2, 2)), rows(2), 2, 1e-9), [0], atol=1e-6)


def test_an_empty_bank_ranks_nothing():
    asked = normal(3, 4, 3)
    close(log_histogram(empty(8, 3), asked, 5, 1e-3), np.full(4, -3 * np.log(5)), rtol=1e-6)
    np.testing.assert_array_equal(log_density(empty(8, 3), asked, 2), np.zeros(4))


def test_the_product_of_shares_is_uniform_and_the_sum_of_logs_is_not():
    """Capsa 0.1.5 sampled by 1 / (exp(sum of logs) + 1e-7): with 32 latents all alike."""
    latents = normal(4, 500, 32)
    log = log_histogram(filled(latents), latents, 5, 1e-8)
    product = np.exp(log)
    assert product.max() < 1e-7
    sampled = 1 / (product + 1e-7)
    assert sampled.max() / sampled.min() < 1.01
    # In logs, here at a temperature of the root of 32, some are 40 times as likely as others.
    by_logs = np.exp(-log / 32**0.5)
    assert by_logs.max() / by_logs.min() > 10


def whitened(known, asked):
    values, axes = np.linalg.eigh(np.cov(known.T, bias=True))
    to_one = axes / np.sqrt(values)
    return (known - known.mean(0)) @ to_one, (asked - known.mean(0)) @ to_one


def by_tree(known, asked, k):
    """Log density by the k-th nearest of two-dimensional latents: the ball's volume is pi r^2."""
    known, asked = whitened(known.astype(float), asked.astype(float))
    distance = cKDTree(known).query(asked, [k])[0][:, 0]
    return np.log(k / len(known)) - np.log(np.pi * distance**2)


@pytest.mark.parametrize("k", [1, 5])
def test_density_is_that_of_a_tree(k):
    skew = np.array([[3, 1], [0, 0.1]], np.float32)  # units and directions do not matter
    known, asked = normal(5, 80, 2) @ skew + 7, 2 * normal(6, 40, 2) @ skew + 7
    close(log_density(poisoned(known), asked, k), by_tree(known, asked, k), rtol=2e-3, atol=2e-3)


def test_many_numbers_that_all_go_together_are_whitened_too():
    rng = np.random.default_rng(0)
    along = rng.normal(size=(500, 1))
    known = along @ rng.normal(size=(1, 512)) + rng.normal(size=512)
    known = np.maximum(known, 0).astype(np.float32)
    bank = push_whitened(program(banks.empty_whitened, static_argnums=(0, 1))(500, 512), known)
    assert np.isfinite(jax.tree.leaves(bank)[-1]).all()
    by_density = np.argsort(log_density_of_whitened(bank, known, 5))
    # Most latents are near the mean, and there they are dense.
    assert np.abs(along[by_density[:50]]).mean() > 1.5 > np.abs(along[by_density[50:]]).max() / 2


def test_what_comes_in_is_whitened_with_what_was_there():
    """Twice some latents, of which the last are not taken, are those in one bank."""
    known, asked = 3 * normal(16, 60, 2) + 7, normal(17, 20, 2)
    bank = program(banks.empty_whitened, static_argnums=(0, 1))(50, 2)
    np.testing.assert_array_equal(log_density_of_whitened(bank, asked, 5), np.zeros(20))
    bank = push_whitened(bank, known[:20])
    bank = push_whitened(bank, known[20:], np.arange(40) < 25)
    assert bank.bank.count == 45
    density = log_density_of_whitened(bank, asked, 5)
    close(density, by_tree(known[:45], asked, 5), rtol=2e-3, atol=2e-3)
    whitened = np.asarray(bank.latents[:45])
    close(whitened.mean(0), [0, 0], atol=1e-5)
    close(np.cov(whitened.T, bias=True), np.eye(2), atol=1e-3)


def test_looking_up_whitens_nothing_anew():
    bank, asked = banks.empty_whitened(50, 4), np.zeros((3, 4), np.float32)
    looked_up = jax.make_jaxpr(lambda b, x: banks.log_density_of_neighbours(b, x, 5))(bank, asked)
    came_in = jax.make_jaxpr(banks.push_whitened)(bank, asked)
    assert "cholesky" in str(came_in) and "cholesky" not in str(looked_up)
    # Of the sizes that occur, no product is of the whole bank with the matrix.
    assert "f32[50,4] = dot_general" not in str(looked_up)


def test_density_of_near_points_far_from_the_mean():
    """The squares of which distances are a difference are 100,000 times as large."""
    known = np.concatenate([normal(7, 300, 2), 20 + 1e-2 * normal(8, 20, 2)])
    asked = known[-10:]
    close(log_density(filled(known), asked, 2), by_tree(known, asked, 2), atol=0.01)


def test_volume_of_the_ball():
    """Around the middle of a grid from -1 to 1 the 3 nearest of 5 reach half a unit."""
    grid = rows(-1, -0.5, 0, 0.5, 1)
    std = np.sqrt(0.5)  # of the grid: (1 + .25 + 0 + .25 + 1) / 5
    # 3/5 over the length, which is twice the reach, whitened.
    close(log_density(filled(grid), rows(0), 3), [np.log(0.6 / (2 * 0.5 / std))], rtol=1e-5)


def test_fewer_than_k_say_nothing():
    bank = Bank(normal(9, 8, 2), np.int32(3))
    np.testing.assert_array_equal(log_density(bank, normal(10, 4, 2), 4), np.zeros(4))
    assert np.all(log_density(bank, normal(10, 4, 2), 3) != 0)


def test_a_direction_without_variance_changes_no_rank():
    known, asked = normal(11, 60, 2), normal(12, 20, 2)
    flat = [np.concatenate([each, np.full((len(each), 1), 3.0)], 1) for each in (known, asked)]
    with_it = log_density(filled(flat[0].astype(np.float32)), flat[1].astype(np.float32), 5)
    assert np.all(np.isfinite(with_it))
    assert spearmanr(with_it, by_tree(known, asked, 5))[0] > 0.999


def test_density_ranks_a_gaussian():
    """Of four correlated numbers the log density is known: the quadratic form."""
    skew = normal(13, 4, 4) + 2 * np.eye(4, dtype=np.float32)
    known, asked = normal(14, 1500, 4), normal(15, 300, 4)
    truth = -(asked**2).sum(1) / 2  # but for a constant, whatever the map
    density = log_density(filled(known @ skew), asked @ skew, 50)
    assert spearmanr(density, truth)[0] >= 0.95
    # The histogram of single numbers does not see how they hang together.
    assert spearmanr(log_histogram(filled(known @ skew), asked @ skew, 5, 1e-3), truth)[0] < 0.9


SHARES = np.array([0.4, 0.25, 0.15, 0.08, 0.05, 0.035, 0.02, 0.015])


@pytest.mark.parametrize("seed", range(3))
def test_isometric_groups_are_ranked_by_their_shares(seed):
    """Eight equal Gaussians apart in 8 of 8 directions: log density is log share plus a constant.

    Groups at the unit vectors are images of each other under isometries of the whole.
    """
    rng = np.random.default_rng(seed)
    shares = rng.permutation(SHARES)
    group = np.repeat(np.arange(8), np.round(shares * 2000).astype(int))
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    latents = (6 * np.eye(8)[group] + rng.normal(size=(len(group), 8))) @ turn
    latents = latents.astype(np.float32)
    asked = np.concatenate([latents[group == each][:25] for each in range(8)])
    density = log_density(filled(latents), asked, 50)
    assert spearmanr(density.reshape(8, 25).mean(1), shares)[0] >= 0.9
