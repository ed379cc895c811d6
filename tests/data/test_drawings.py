import numpy as np

from icm_jax.data import drawings


def test_a_box_is_scaled_and_its_centre_of_mass_put_in_the_middle():
    image = np.zeros((20, 30, 1), np.uint8)
    image[2:10, 5:9] = 200  # 8 high, 4 wide
    (made,) = drawings.like_digits(image[None], 0, 4, 9)
    # 4 high, 2 wide around the middle pixel 4: rows 2.5 to 5.5 and columns 3.5 to 4.5, rounded.
    assert made.shape == (9, 9, 1)
    rows, columns = np.nonzero(made[..., 0])
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (4, 2)
    assert abs(rows.mean() - 4) <= 0.5 and abs(columns.mean() - 4) <= 0.5
    assert (made[made > 0] == 200).all()


def test_mass_and_not_the_box_is_centred():
    image = np.zeros((10, 10, 1), np.uint8)
    image[0, :], image[:, 0] = 40, 255  # a faint bar above, a strong one on the left
    (made,) = drawings.like_digits(image[None], 0, 10, 20)
    weights = made[..., 0].astype(float)
    column = (weights.sum(axis=0) * np.arange(20)).sum() / weights.sum()
    assert abs(column - 9.5) <= 0.5
    assert np.nonzero(made[..., 0].any(axis=0))[0].min() == 9  # the box begins near the middle


def test_ink_is_never_cut_off_and_nothing_stays_nothing():
    image = np.zeros((2, 8, 8, 1), np.uint8)
    image[0, :, 0], image[0, 0, 7] = 255, 1  # nearly all mass in the first of 8 columns
    made = drawings.like_digits(image, 0, 8, 8)
    np.testing.assert_array_equal(made[0], image[0])
    assert not made[1].any()


def test_lines_are_thickened_before_they_are_scaled():
    image = np.zeros((1, 11, 11, 3), np.uint8)
    image[0, 5, 1:10, 1] = 100  # a green line of 9 x 1 becomes 11 x 3
    (made,) = drawings.like_digits(image, 3, 11, 11)
    np.testing.assert_array_equal(np.nonzero(made[..., 0].any(axis=1))[0], [4, 5, 6])
    assert made[..., 0].any(axis=0).all()
