import numpy as np
import pytest

from icm_jax.data.types import Dataset, Splits
from icm_jax.systems.risk import worlds
from icm_jax.systems.risk.groups import luminance

FACES, NON_FACES, TEST = 200, 100, 60


def draw_splits(channels=3):
    """Faces come first in both splits; images of the test split are others."""
    draw = np.random.RandomState(0)

    def one(faces, non_faces):
        count = faces + non_faces
        return Dataset(
            draw.randint(0, 256, (count, 4, 4, channels)).astype(np.uint8),
            np.repeat([1, 0], [faces, non_faces]).astype(np.int32),
            {"name": np.arange(count)},
        )

    return Splits(one(FACES, NON_FACES), one(TEST, TEST))


def counts(dataset, label, groups):
    return np.bincount(dataset.attributes["group"][dataset.labels == label], minlength=groups)


def assert_same(one, other):
    for a, b in zip(one.splits, other.splits, strict=True):
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.labels, b.labels)


def test_plain_changes_nothing():
    splits = draw_splits()
    world = worlds.plain(splits, 5)
    assert world.names == ("plain",) and world.shares == (1.0,) and world.rates == (0.0,)
    for made, split in zip(world.splits, splits, strict=True):
        np.testing.assert_array_equal(made.images, split.images)
        np.testing.assert_array_equal(made.attributes["true"], split.labels)
        np.testing.assert_array_equal(made.attributes["name"], split.attributes["name"])
        assert not made.attributes["group"].any()


@pytest.mark.parametrize("channels", [1, 3])
def test_density_plants_the_shares_exactly(channels):
    splits = draw_splits(channels)
    world = worlds.density(splits, 3)
    train, test = world.splits
    assert sorted(world.shares, reverse=True) == list(worlds.SHARES)
    assert counts(train, 1, 6).tolist() == [round(FACES * share) for share in world.shares]
    assert counts(test, 1, 6).tolist() == [10] * 6
    for made, split in zip(world.splits, splits, strict=True):
        face = split.labels == 1
        np.testing.assert_array_equal(made.images[~face], split.images[~face])
        assert not made.attributes["group"][~face].any()
        inverted = face & (made.attributes["group"] == world.names.index("invert"))
        np.testing.assert_array_equal(made.images[inverted], 255 - split.images[inverted])
        plain = face & (made.attributes["group"] == world.names.index("plain"))
        np.testing.assert_array_equal(made.images[plain], split.images[plain])
        np.testing.assert_array_equal(made.labels, split.labels)
    assert ("channels_rolled" in world.names) == (channels == 3)


def test_luminance_is_that_of_before_in_colour_alone():
    splits = draw_splits()
    world = worlds.conflict(splits, 0, share=0.5)
    assert world.splits.train.attributes["group"].any()
    for made, split in zip(world.splits, splits, strict=True):
        np.testing.assert_array_equal(made.attributes["luminance"], luminance(split.images))
    assert "luminance" not in worlds.plain(draw_splits(1), 0).splits.train.attributes


def test_shares_are_permuted_by_the_seed():
    splits = draw_splits(1)
    drawn = [worlds.density(splits, seed) for seed in range(4)]
    assert len({world.shares for world in drawn}) == 4
    assert_same(drawn[2], worlds.density(splits, 2))
    with pytest.raises(AssertionError):
        assert_same(drawn[2], drawn[3])


def test_density_with_options():
    splits = draw_splits()
    world = worlds.density(splits, 0, non_face_share=0.5, even_test=False)
    for split in world.splits:
        inverted = counts(split, 0, 6)
        count = int((split.labels == 0).sum())
        assert inverted[0] == inverted[2] == count // 2 and inverted.sum() == count
    wanted = [round(TEST * share) for share in world.shares]
    assert np.abs(counts(world.splits.test, 1, 6) - wanted).max() <= 1


def test_conflict_is_rare_among_faces_and_frequent_among_non_faces():
    splits = draw_splits()
    world = worlds.conflict(splits, 0)
    assert world.names == ("plain", "invert") and world.shares == (0.98, 0.02)
    assert counts(world.splits.train, 1, 2).tolist() == [196, 4]
    assert counts(world.splits.train, 0, 2).tolist() == [50, 50]
    assert counts(world.splits.test, 1, 2).tolist() == [30, 30]
    assert counts(world.splits.test, 0, 2).tolist() == [30, 30]
    for made, split in zip(world.splits, splits, strict=True):
        inverted = made.attributes["group"] == 1
        np.testing.assert_array_equal(made.images[inverted], 255 - split.images[inverted])
        np.testing.assert_array_equal(made.images[~inverted], split.images[~inverted])
    assert_same(world, worlds.conflict(splits, 0))
    rare = worlds.conflict(splits, 0, share=0.1, even_test=False)
    assert counts(rare.splits.test, 1, 2).tolist() == [54, 6]


def test_conflict_of_another_mechanism():
    splits = draw_splits()
    world = worlds.conflict(splits, 0, {"name": "exposure", "stops": -1}, 0.5, 0.0)
    assert world.names == ("plain", "exposure(stops=-1)")
    (dark,) = np.nonzero(world.splits.train.attributes["group"])
    assert len(dark) == 100 and (world.splits.train.labels[dark] == 1).all()
    halved = splits.train.images[dark] / 2
    assert np.abs(world.splits.train.images[dark] - halved).max() <= 0.5


def test_mechanisms_that_draw_draw_anew_in_each_split():
    images = np.full((4, 4, 4, 1), 128, np.uint8)
    same = Dataset(images, np.ones(4, np.int32))
    world = worlds.conflict(Splits(same, same), 0, "noise", 1.0, 1.0, even_test=False)
    assert (world.splits.train.images != world.splits.test.images).any()
    other = worlds.conflict(Splits(same, same), 1, "noise", 1.0, 1.0, even_test=False)
    assert (world.splits.train.images != other.splits.train.images).any()


def test_noise_flips_at_the_rate_of_the_group():
    count = 20_000
    splits = draw_splits(1)
    many = Dataset(np.zeros((2 * count, 2, 2, 1), np.uint8), np.repeat([1, 0], count))
    rates = (0.0, 0.05, 0.2, 0.4)
    world = worlds.noise(Splits(many, splits.test), 0, rates)
    assert world.rates == rates and world.shares == (0.25,) * 4
    assert world.names == ("plain", "upside_down", "invert", "quarter_turn")
    train = world.splits.train
    np.testing.assert_array_equal(train.attributes["true"], many.labels)
    flipped = train.labels != train.attributes["true"]
    for label in (0, 1):
        for group, rate in enumerate(rates):
            rows = (many.labels == label) & (train.attributes["group"] == group)
            assert rows.sum() == count / 4
            # Within four standard deviations of a binomial.
            bound = 4 * np.sqrt(rate * (1 - rate) / rows.sum())
            assert abs(flipped[rows].mean() - rate) <= bound
    inverted = train.attributes["group"] == 2
    assert (train.images[inverted] == 255).all() and not train.images[~inverted].any()


def test_noise_in_the_test_split_and_by_seed():
    splits = draw_splits()
    world = worlds.noise(splits, 0, (0.0, 1.0))
    for made, split in zip(world.splits, splits, strict=True):
        np.testing.assert_array_equal(made.labels != split.labels, made.attributes["group"] == 1)
        assert counts(made._replace(labels=split.labels), 1, 2).tolist() == (
            [int((split.labels == 1).sum()) // 2] * 2
        )
    assert_same(world, worlds.noise(splits, 0, (0.0, 1.0)))
    with pytest.raises(AssertionError):
        assert_same(world, worlds.noise(splits, 1, (0.0, 1.0)))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda s: worlds.density(s, 0, (0.5, 0.5)), r"world.shares: \(0.5, 0.5\) .* 6 numbers"),
        (lambda s: worlds.density(s, 0, (0.5,) * 6), "world.shares: .*add up to 1"),
        (lambda s: worlds.density(s, 0, non_face_share=2), "world.non_face_share: 2 is not"),
        (lambda s: worlds.conflict(s, 0, share=-0.1), "world.share: -0.1 is not allowed"),
        (lambda s: worlds.conflict(s, 0, "gloom"), "mechanisms: 'gloom' is not registered"),
        (lambda s: worlds.noise(s, 0, ()), r"world.rates: \(\) has 0; 1 to 6 can be"),
        (lambda s: worlds.noise(s, 0, (0.1,) * 7), "world.rates: .* has 7; 1 to 6"),
        (lambda s: worlds.noise(s, 0, (1.5,)), "world.rates: 1.5 is not allowed"),
    ],
)
def test_what_is_not_allowed(make, message):
    with pytest.raises(ValueError, match=message):
        make(draw_splits())


def test_worlds_by_name():
    assert list(worlds.WORLDS) == ["plain", "density", "conflict", "noise"]
    splits = draw_splits()
    for make in worlds.WORLDS.values():
        assert len(make(splits, 0).names) == len(make(splits, 0).shares)
