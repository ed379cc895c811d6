import itertools

import numpy as np
import pytest

from icm_jax import mechanisms
from icm_jax.systems.risk import groups


def draw_images(count=12, size=8, channels=3):
    return np.random.RandomState(0).randint(0, 256, (count, size, size, channels)).astype(np.uint8)


def distances(images):
    """Squared distances of all pairs, in integers: exact."""
    flat = images.reshape(len(images), -1).astype(int)
    return ((flat[:, None] - flat[None]) ** 2).sum(-1)


def put_all(images, name):
    return groups.transform(images, np.zeros(len(images), int), (name,))


@pytest.mark.parametrize("channels", [1, 3])
def test_isometries_keep_all_distances(channels):
    images = draw_images(channels=channels)
    names = groups.isometries(channels)
    assert len(names) == 6 and names[0] == "plain"
    made = {name: put_all(images, name) for name in names}
    for name in names:
        np.testing.assert_array_equal(distances(made[name]), distances(images), err_msg=name)
    for one, other in itertools.combinations(names, 2):
        assert (made[one] != made[other]).any((1, 2, 3)).all(), (one, other)


def test_what_each_does_by_hand():
    grey = np.uint8([[0, 1], [2, 3]])[None, :, :, None]
    wanted = {
        "plain": [[0, 1], [2, 3]],
        "upside_down": [[3, 2], [1, 0]],
        "invert": [[255, 254], [253, 252]],
        "quarter_turn": [[1, 3], [0, 2]],
        "upside_down_inverted": [[252, 253], [254, 255]],
    }
    for name, pixels in wanted.items():
        assert put_all(grey, name)[0, :, :, 0].tolist() == pixels, name
    row = np.tile(np.uint8([0, 1, 2, 3]), (4, 1))[None, :, :, None]
    assert put_all(row, "halves_mirrored")[0, 0, :, 0].tolist() == [1, 0, 3, 2]
    colour = np.full((1, 2, 2, 3), (10, 20, 30), np.uint8)
    assert put_all(colour, "channels_rolled")[0, 0, 0].tolist() == [30, 10, 20]


def test_every_value_of_a_pixel_is_exact():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(put_all(values, "invert"), 255 - values)
    np.testing.assert_array_equal(put_all(values, "quarter_turn")[0], np.rot90(values[0]))


def test_darkening_is_no_isometry():
    images = draw_images()
    assert (distances(put_all(images, "exposure")) <= distances(images)).all()
    assert distances(put_all(images, "exposure")).sum() < 0.5 * distances(images).sum()


def test_each_image_goes_into_its_own_group():
    images = draw_images(count=6)
    group = np.array([0, 2, 1, 1, 0, 2])
    made = groups.transform(images, group, ("invert", "plain", "upside_down"))
    np.testing.assert_array_equal(made[[0, 4]], 255 - images[[0, 4]])
    np.testing.assert_array_equal(made[[2, 3]], images[[2, 3]])
    np.testing.assert_array_equal(made[[1, 5]], images[[1, 5], ::-1, ::-1])


def test_mechanisms_of_the_package_and_their_parameters():
    images = np.full((2, 4, 4, 1), 200, np.uint8)
    assert set(put_all(images, {"name": "exposure", "stops": -1}).ravel().tolist()) == {100}
    made = put_all(images, {"name": "noise", "std": 0.1})
    assert (made[0] != made[1]).any()
    with pytest.raises(ValueError, match="^world.mechanism: mechanisms: 'gloom' is not registered"):
        put_all(images, "gloom")
    with pytest.raises(ValueError, match="colour_cast needs 3 channels"):
        put_all(images, "colour_cast")
    with pytest.raises(ValueError, match="4x6 pixels cannot be turned by a quarter"):
        put_all(np.zeros((1, 4, 6, 1), np.uint8), "quarter_turn")


def test_names_that_mechanisms_have_are_theirs():
    image = np.random.RandomState(1).uniform(size=(4, 4, 3)).astype(np.float32)
    for name in ("upside_down", "invert"):
        (step,) = groups.ISOMETRIES[name]
        np.testing.assert_array_equal(
            mechanisms.build(step)(None, image), mechanisms.build(name)(None, image)
        )


def test_counts_are_shares_up_to_rounding():
    shares = (0.60, 0.20, 0.10, 0.06, 0.03, 0.01)
    assert groups.count_shares(1000, shares).tolist() == [600, 200, 100, 60, 30, 10]
    # Of 320: 192, 64, 32, 19.2, 9.6 and 3.2; the one left over goes to 9.6.
    assert groups.count_shares(320, shares).tolist() == [192, 64, 32, 19, 10, 3]
    assert groups.count_shares(0, shares).sum() == 0
    for count in range(1, 200):
        counts = groups.count_shares(count, shares)
        assert counts.sum() == count and np.abs(counts - count * np.array(shares)).max() < 1


def test_groups_of_either_class_have_their_shares():
    labels = np.array([1, 0] * 100)
    group = groups.draw_groups(labels, (0.9, 0.1), (0.5, 0.5), np.random.RandomState(0))
    assert group.dtype == np.int32
    assert np.bincount(group[labels == 1]).tolist() == [90, 10]
    assert np.bincount(group[labels == 0]).tolist() == [50, 50]


def test_luminance_is_of_the_middle():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[0, 2:6, 2:6] = (100, 0, 0)
    images[1] = 255
    images[1, 2:6, 2:6] = (0, 100, 200)
    # 0.299 red, 0.587 green, 0.114 blue.
    np.testing.assert_allclose(groups.luminance(images), [29.9, 58.7 + 22.8], rtol=1e-6)
    np.testing.assert_allclose(groups.luminance(np.full((1, 9, 9, 1), 7, np.uint8)), [7])


def test_groups_by_luminance():
    measured = np.arange(100, dtype=np.float32)[::-1]
    group = groups.luminance_groups(measured, measured)
    assert group.dtype == np.int32 and np.bincount(group).tolist() == [25, 25, 25, 25]
    assert group[0] == 3 and group[-1] == 0
    # By the quantiles of others: all of 30 and more are above the median of 0 to 59.
    below = groups.luminance_groups(measured, measured[40:], (0.5,))
    assert below.tolist() == [1] * 70 + [0] * 30
