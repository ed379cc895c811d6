import numpy as np
import pytest
from systems.risk.regression import tiny

from icm_jax.systems.risk import cubic
from icm_jax.systems.risk.regression.data import load, make_tasks
from icm_jax.systems.risk.tables import standardize


def test_splits_of_unequal_sizes_are_filled_up_with_zeros():
    table = tiny.plane()
    first, second = make_tasks(tiny.regression(), table, [0, 1])
    assert first is second  # a table is the same for every seed
    assert first.train.count.tolist() == [36, 34] and first.test.count.tolist() == [24, 26]
    split = standardize(table, 1)
    np.testing.assert_array_equal(first.train.features[1, :34], split.train_features)
    np.testing.assert_array_equal(first.train.of_split(1), split.train_targets[:, 0])
    assert not first.train.features[1, 34:].any() and not first.train.targets[1, 34:].any()
    assert first.test.features.shape == (2, 26, 2) and not first.test.features[0, 24:].any()
    np.testing.assert_array_equal(first.scale[1], split.scale)


def test_the_first_splits_are_taken_and_no_more_than_there_are():
    config = tiny.regression()
    config.data.splits = 1
    (task,) = make_tasks(config, tiny.plane(), [0])
    assert task.splits == 1
    config.data.splits = 3
    with pytest.raises(ValueError, match="^data.splits: 3 is not allowed; 'plane' has 2$"):
        make_tasks(config, tiny.plane(), [0])


def test_the_cubic_is_drawn_by_seed_and_tested_on_new_points_of_it():
    config = tiny.regression()
    config.data.name = "cubic"
    assert load(config) is None
    task, other = make_tasks(config, None, [5, 6])
    drawn = cubic.draw_cubic(5)
    np.testing.assert_array_equal(task.truth.points[:, 0], drawn.train_features[:, 0])
    assert (task.train.features != other.train.features).any()
    np.testing.assert_array_equal(task.truth.x, other.truth.x)

    # Standardized: back in their units test points lie around the curve, and the grid on it.
    mean, std = drawn.train_features.mean(), drawn.train_features.std()
    x, y = task.test.features[0, :, 0] * std + mean, task.test.of_split(0)
    noise = (y * task.scale[0] + task.shift[0] - cubic.mean(x)) / cubic.sigma(x)
    assert len(noise) == 500 and 0.9 < noise.std() < 1.1
    nearest = np.abs(x[:, None] - drawn.train_features[:, 0]).min(axis=1)
    assert np.median(nearest) > 1e-4  # those to train on are 0.004 apart
    rows = task.truth.rows
    np.testing.assert_allclose(rows.features[0, :, 0] * std + mean, task.truth.x, atol=1e-5)
    on_curve = rows.of_split(0) * task.scale[0] + task.shift[0]
    np.testing.assert_allclose(on_curve, task.truth.curve, atol=1e-4)
    np.testing.assert_array_equal(task.truth.inside, np.abs(task.truth.x) <= 4)
