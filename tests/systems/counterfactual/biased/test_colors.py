import jax.numpy as jnp
import numpy as np
from PIL import ImageColor

from icm_jax.systems.counterfactual.biased import colors

NAMES = (
    *("darkgreen", "darkblue", "#b03060", "orangered", "yellow"),
    *("burlywood", "lime", "aqua", "fuchsia", "#6495ed"),
)


def test_the_tables_are_the_published_ones():
    table = [ImageColor.getcolor(name, "RGB") for name in NAMES]
    np.testing.assert_array_equal(colors.BACKGROUNDS, table)
    np.testing.assert_array_equal(colors.FOREGROUNDS, [table[i - 6] for i in range(10)])
    assert colors.FOREGROUNDS[0].tolist() == [255, 255, 0]  # digits 0 are yellow
    assert colors.MEANS[[0, 9]].tolist() == [[220, 20, 60], [128, 0, 0]]
    assert len(np.unique(colors.MEANS, axis=0)) == 10


def test_colors_inside_are_a_normal_distribution_without_its_ends():
    # About 128 / 255 = .502 only 4 of 10,000 lie outside; about 0 half of them do, and the rest
    # have the half normal distribution's mean, .1414 sqrt(2 / pi) = .1128.
    means = np.tile(np.array([[128, 0, 255]], np.uint8), (20000, 1))
    drawn = colors.draw_inside(means, 0.02**0.5, np.random.RandomState(0)) / 255
    np.testing.assert_allclose(drawn.mean(0), [0.502, 0.1128, 1 - 0.1128], atol=0.004)
    np.testing.assert_allclose(drawn[:, 0].std(), 0.1414, atol=0.003)
    # Clipped, half of the second channel would be 0: rounding gives the share below half a step,
    # 2 (Phi(.5 / 255 / .1414) - 1 / 2) = .011.
    assert 0.005 < (drawn[:, 1] == 0).mean() < 0.02
    # Channels do not go together.
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.03


def test_without_deviation_colors_are_the_means():
    rng = np.random.RandomState(0)
    np.testing.assert_array_equal(colors.draw_inside(colors.MEANS, 0, rng), colors.MEANS)


def test_jitter_may_leave_the_range():
    means = np.zeros((5000, 3), np.uint8)
    drawn = colors.draw_jittered(means, 0.01, np.random.RandomState(1))
    assert abs((drawn < 0).mean() - 0.5) < 0.02
    np.testing.assert_allclose(drawn.std(), 0.01, rtol=0.03)


def test_bytes_become_signed():
    # 51 of 255 is .2, and 2 * .2 - 1 is -.6.
    signed = colors.to_signed(jnp.array([0, 51, 255], jnp.uint8))
    np.testing.assert_allclose(signed, [-1, -0.6, 1], atol=1e-7)
    assert signed[0] == -1 and signed[2] == 1
