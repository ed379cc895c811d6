import math

import numpy as np

from icm_jax.systems.risk import cubic


def test_the_lab_s_data():
    data = cubic.draw_cubic(0)
    assert data.train_features.shape == data.train_targets.shape == (2000, 1)
    assert data.test_features.shape == data.test_targets.shape == (500, 1)
    assert all(array.dtype == np.float32 for array in data)
    np.testing.assert_allclose(data.test_features[[0, -1], 0], [-6, 6])
    np.testing.assert_allclose(data.test_targets[[0, -1], 0], [-36, 36])
    # At x = -1 it is 2 exp(0) + 0.2, at x = 0 it is 2 / e + 0.2.
    np.testing.assert_allclose(cubic.sigma(np.array([-1.0, 0.0])), [2.2, 2 / math.e + 0.2])
    np.testing.assert_allclose(data.test_sigma, cubic.sigma(data.test_features), rtol=1e-5)


def test_x_is_triangular():
    x = cubic.draw_cubic(1, rows=100_000).train_features
    # Mean (-4 + 2 + 4) / 3; of the mass (2 + 4) / 8 lies below the mode.
    assert abs(x.mean() - 2 / 3) < 0.02 and x.min() >= -4 and x.max() <= 4
    assert abs((x < 2).mean() - 0.75) < 0.01


def test_noise_is_as_strong_as_said():
    data = cubic.draw_cubic(2, rows=100_000)
    standard = (data.train_targets - cubic.mean(data.train_features)) / data.train_sigma
    for low, high in ((-4, -2), (-2, 0), (0, 2), (2, 4)):
        within = standard[(data.train_features >= low) & (data.train_features < high)]
        assert abs(within.mean()) < 0.05 and abs(within.std() - 1) < 0.03


def test_the_seed_draws():
    first, again, other = (cubic.draw_cubic(seed, rows=10) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train_targets, again.train_targets)
    assert (first.train_targets != other.train_targets).all()
    np.testing.assert_array_equal(first.test_targets, other.test_targets)
