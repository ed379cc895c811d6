"""Groups of a data set in place of mechanisms, and data whose restored images nobody can judge."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import experiment
from icm_jax.data import Dataset, Splits
from icm_jax.systems.icm.images import build_images


def splits():
    """Images of one value each: 10 of light 0, 120 of 1, 240 of 2; half as many to test on."""

    def dataset(counts):
        light = np.repeat(np.arange(3), counts)
        images = (120 * light).astype(np.uint8)[:, None, None, None]
        labels = (np.arange(len(light)) % 2).astype(np.int32)
        return Dataset(np.tile(images, (1, 12, 12, 1)), labels, {"light": light})

    return Splits(dataset((20, 30, 10)), dataset((6, 3, 4)))


def config():
    result = tiny.icm()
    result.data.groups = {"attribute": "light", "canonical": "1", "transformed": (0, "2")}
    return result


def drawn_values(system, name):
    pool = system.given[name]
    return system.given["images"][pool.index][..., 0, 0, 0], pool.count


def test_pools_hold_the_images_with_the_values():
    system = tiny.build_icm(config(), splits())
    values, count = drawn_values(system, "canonical")
    assert count == 30 and set(values[:count]) == {120}
    values, counts = drawn_values(system, "transformed")
    assert counts.tolist() == [20, 10]
    assert set(values[:20]) == {0} and set(values[20:30]) == {240}


def test_labels_and_known_images_restrict_pools():
    c = config()
    c.data.labels, c.data.canonical = (1,), 9
    system = tiny.build_icm(c, splits())
    assert system.data["canonical"].count == 9
    values, counts = drawn_values(system, "transformed")
    assert counts.tolist() == [10, 5]
    assert set(values[:10]) == {0} and set(values[10:15]) == {240}


def test_groups_are_drawn_as_often_as_the_mixture_says():
    c = config()
    c.batch_size, c.mixture = 20, (1, 9)
    images = build_images(c, splits())
    data = jax.tree.map(jnp.asarray, tiny.build_icm(c, splits()).given)
    drawn = np.stack([images.draw(data, jax.random.key(i), c.batch_size) for i in range(50)])
    assert drawn.shape == (50, 20, 12, 12, 1)
    values = (drawn[..., 0, 0, 0] * 255).round()
    assert set(values.ravel()) == {0, 240}
    # A binomial of 1000 and 0.9 has a deviation of 0.0095.
    assert abs((values == 240).mean() - 0.9) < 0.04


def test_all_images_of_a_group_are_drawn():
    c = config()
    c.batch_size = 20
    rows = splits()
    rows.train.images[:, 1, 1, 0] = np.arange(60)  # which image it is
    images = build_images(c, rows)
    data = jax.tree.map(jnp.asarray, tiny.build_icm(c, rows).given)
    drawn = np.stack([images.draw(data, jax.random.key(i), c.batch_size) for i in range(20)])
    numbers = set((drawn[:, :, 1, 1, 0] * 255).round().astype(int).ravel().tolist())
    assert numbers == {*range(20), *range(50, 60)}


def test_test_images_take_turns():
    images = build_images(config(), splits())
    assert images.names == ("light=0", "light=2")
    assert images.index.tolist() == [0, 1] * 4 + [0, 0]
    np.testing.assert_array_equal(images.test.images[:, 0, 0, 0], 240 * images.index)


def test_a_run_says_what_is_known_and_nothing_else(tmp_path):
    c = config()
    c.initialization.steps, c.competition.steps = 0, 2
    c.evaluation.every = c.log.every = c.competition.restart.every = 2
    result = experiment.run(c, tmp_path, data=splits())
    summary = json.loads((tmp_path / "summary.json").read_text())
    found = summary["specialization"]
    assert found["mechanisms"] == ["light=0", "light=2"]
    np.testing.assert_allclose(np.sum(found["wins"], axis=1), 1)
    assert summary["accuracy"] is None and summary["psnr"] is None
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    evaluations = [set(r["evaluation"]) for r in records if "evaluation" in r]
    assert evaluations == [{"identified", "identified_mechanisms", "scores", "kept_ssim"}] * 2
    assert (tmp_path / "figures" / "experts.png").exists()
    assert not (tmp_path / "figures" / "accuracy.png").exists()
    assert not (tmp_path / "classifier").exists() and (tmp_path / "report.html").exists()
    headline = tiny.build_icm(c, splits()).headline(result.summary)
    names = {"all identified", "identified", "experts in use", "mechanisms found"}
    assert set(headline) == names and 1 <= headline["mechanisms found"] <= 2


def test_people_who_are_not_trained_on_cannot_be_judged():
    train, test = tiny.splits()
    apart = Splits(train, test._replace(labels=test.labels + 2))
    system = tiny.build_icm(tiny.icm(), apart)
    assert not system.auxiliary
    state = jax.jit(system.init)(jax.random.key(0))
    found = system.evaluate(state, {}, False)
    assert found.summary["accuracy"] is None and found.summary["judge"] is None
    assert len(found.summary["psnr"]) == 2
    assert found.arrays["originals"].shape == (2, 12, 12, 1)
    alone = [split._replace(labels=0 * split.labels) for split in tiny.splits()]
    assert not tiny.build_icm(tiny.icm(), Splits(*alone)).auxiliary
    assert tiny.build_icm(tiny.icm(), tiny.splits()).auxiliary


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"attribute": "dark"}, "data.groups.attribute: 'dark' is unknown; .* are light"),
        (
            {"canonical": "7"},
            "data.groups: '7' is no value of 'light' in the train split; .* 0, 1, 2",
        ),
        ({"transformed": ("0", 3)}, "data.groups: '3' is no value of 'light' in the train split"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(groups, message):
    c = config()
    c.data.groups.update(groups)
    with pytest.raises(ValueError, match=message):
        tiny.build_icm(c, splits())


def test_a_group_without_test_images_or_with_fewer_than_a_batch():
    train, test = splits()
    without = Splits(train, test.take(test.attributes["light"] != 2))
    with pytest.raises(ValueError, match="'2' is no value of 'light' in the test split"):
        tiny.build_icm(config(), without)
    c = config()
    c.batch_size = 31
    with pytest.raises(ValueError, match="batch_size: 31 is more than the 30 canonical images"):
        tiny.build_icm(c, splits())
    c = config()
    c.data.labels = (0,)
    train.labels[train.attributes["light"] == 2] = 1
    with pytest.raises(ValueError, match=r"data.labels: \(0,\) leaves no image of light=2"):
        tiny.build_icm(c, Splits(train, test))


def test_a_mechanism_that_does_not_suit_the_images_is_refused():
    c = tiny.icm()
    c.mechanisms = ("invert", "colour_cast")
    with pytest.raises(ValueError, match="mechanisms: colour_cast: .* needs 3 channels"):
        tiny.build_icm(c, tiny.splits())
