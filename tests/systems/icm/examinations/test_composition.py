import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from icm_jax import data
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.examinations import composition, search
from icm_jax.systems.icm.examinations.search import Networks, Search
from icm_jax.systems.icm.restoration import psnr

# Images [1, 1, 3] of which mechanism k raises channel k; channel 2 tells the class.
BANK = [functools.partial(lambda key, x, k: x.at[..., k].add(0.25), k=k) for k in range(2)]
SETTINGS = ConfigDict({"kind": "composition", "images": 0, "limit": 2, "width": 1})
LABELS = np.array([3, 1, 2] * 5, np.int32)
IMAGES = np.zeros((15, 1, 1, 3), np.float32)
IMAGES[..., 2] = (LABELS / 4)[:, None, None]


def score(images):
    """The closer to an image that no mechanism changed, the higher."""
    return -np.abs(np.asarray(images)[:, 0, 0, :2]).sum(axis=1)


def experts(images):
    """Expert k lowers channel k: it inverts mechanism k."""
    outputs = np.stack([np.asarray(images)] * 2)
    for k in range(2):
        outputs[k, ..., k] -= 0.25
    return jnp.asarray(outputs), jnp.asarray([score(x) for x in outputs])


def classify(images):
    """The class of an image that no mechanism changed, 0 for others."""
    pixels = np.asarray(images)[:, 0, 0]
    return np.where((pixels[:, :2] == 0).all(axis=1), np.round(4 * pixels[:, 2]), 0)


@pytest.fixture(scope="module")
def ideal():
    """What is found of experts that invert one mechanism each."""
    networks = Networks(experts, score, classify)
    followed = search.follow_pairs(
        networks, BANK, IMAGES, LABELS, Search(limit=3, width=1), jax.random.key(0)
    )
    chex.assert_shape(followed, (2 * 2 * 15, 4))
    names = ["translate_left", "invert"]
    return {"mechanisms": names, "limit": 3, **composition.summarize(followed, 2)}


def test_ideal_experts_undo_pairs_by_two_applications(ideal):
    # One application undoes a single mechanism, two a pair; more spoil it.
    single, pair = [0, 1, 0, 0], [0, 0, 1, 0]
    np.testing.assert_array_equal(ideal["accuracy"], [[single, pair], [pair, single]])
    # A mechanism changes one of three pixels by 1/4: 10 log10(48); equal images count as 100.
    one, two = 10 * np.log10(48), 10 * np.log10(24)
    spoilt = 10 * np.log10(12)  # by the same expert twice: 1/2
    np.testing.assert_allclose(ideal["psnr"][0, 0], [one, 100, one, spoilt], rtol=1e-5)
    np.testing.assert_allclose(ideal["psnr"][1, 0], [two, one, 100, one], rtol=1e-5)
    np.testing.assert_allclose(ideal["score"][0, 1], [-0.5, -0.25, 0, -0.25])


def test_the_score_finds_the_number_of_mechanisms(ideal):
    expected = {"accuracy": np.ones((2, 2)), "psnr": np.full((2, 2), 100.0)}
    expected["applications"] = np.array([[1, 2], [2, 1]])
    chex.assert_trees_all_equal(ideal["restored"], expected)


def test_applications_stop_at_the_first_canonical_output_or_take_the_best():
    scores = np.array([[-3, 0.5, 2, 4], [1, 5, 6, 7], [-1, -2, 0, -1], [-3, -1, -2, -5]])
    assert search.applications(scores).tolist() == [1, 0, 2, 1]


def test_a_wider_search_goes_on_with_outputs_that_score_low():
    # Value -> what experts 0 and 1 make of it. Of 0 the winner makes 1, of which nothing comes.
    made = {0: (1, 2), 1: (3, 3), 2: (0, 9), 9: (9, 9)}
    scored = {0: -9, 1: 1, 2: 0, 3: -5, 9: 5}

    def experts(images):
        values = np.asarray(images).ravel().tolist()
        outputs = np.array([[made[value][e] for value in values] for e in range(2)])
        scores = np.vectorize(scored.get)(outputs)
        return jnp.asarray(outputs[..., None, None, None]), jnp.asarray(scores)

    def best(width):
        images = np.array([0, 2])[:, None, None, None]  # 2 is made 9 at once
        found = search.apply_repeatedly(experts, images, Search(2, width))
        return [x.ravel().tolist() for x in found]

    assert best(width=1) == [[1, 9], [3, 9]]
    assert best(width=2) == [[1, 9], [9, 9]]


def test_images_that_do_not_fit_are_refused():
    networks, key = Networks(experts, score, classify), jax.random.key(0)
    for images, labels in ((IMAGES, LABELS[1:]), (IMAGES[:, 0], LABELS)):
        with pytest.raises(AssertionError, match="Chex"):
            search.follow_pairs(networks, BANK, images, labels, Search(1, 1), key)
    with pytest.raises(AssertionError, match="Chex"):
        next(search.apply_repeatedly(experts, jnp.asarray(IMAGES[:, 0]), Search(1, 1)))
    with pytest.raises(AssertionError, match="Chex"):
        search.applications(np.zeros(3))


def test_kinds_and_success_of_pairs():
    kinds = composition.kinds(["translate_left", "noise", "invert"])
    assert np.argwhere(kinds["translation, then inversion"]).tolist() == [[0, 2]]
    assert np.argwhere(kinds["inversion, then translation"]).tolist() == [[2, 0]]
    assert kinds["all pairs"].sum() == 6 and kinds["single mechanisms"].sum() == 3
    assert list(composition.kinds(["noise"])) == ["single mechanisms"]
    accuracy = np.array([[0.9, 0.76], [0.74, 0.8]])  # 0.75 is enough
    assert composition.succeeds(accuracy).tolist() == [[True, True], [False, True]]


def test_numbers_tables_and_figures_of_two_seeds(ideal):
    worse = ideal | {"restored": dict(ideal["restored"], accuracy=np.array([[1, 0.9], [0.5, 1]]))}
    assert composition.numbers(worse) == {
        "accuracy, single mechanisms": 1,
        "accuracy, all pairs": 0.7,
        "accuracy, translation, then inversion": 0.9,
        "accuracy, inversion, then translation": 0.5,
        "fraction of pairs that succeed": 0,
        "applications, all pairs": 2,
        "PSNR, all pairs": 100,
        "applications, single mechanisms": 1,
    }
    head, rows = composition.tables([ideal, worse])["pairs"]
    assert all(len(row) == len(head) for row in rows)
    assert rows[0] == ["translate_left", "", 0, 1, 0, 0, 1, 1, 100, ""]
    assert rows[2] == ["translate_left", "invert", 0, 0, 1, 0, 0.95, 2, 100, "yes"]
    assert rows[3] == ["invert", "translate_left", 0, 0, 1, 0, 0.75, 2, 100, "no"]
    figures = composition.figures([ideal, worse])
    np.testing.assert_array_equal(
        figures["pairs"].axes[0].images[0].get_array(), [[1, 0.95], [0.75, 1]]
    )
    assert len(figures["pairs"].axes[0].patches) == 1  # the one pair that succeeds is framed
    for figure in figures.values():
        figure.canvas.draw()


def test_a_finished_run_is_examined(folder_run):
    workdir, config = folder_run
    found = composition.examine(workdir, SETTINGS)
    assert found["mechanisms"] == ["translate_right", "invert"] and found["images"] == 12
    restorer, judge = restore.load(workdir), restore.load_judge(workdir)
    test = data.load(config.data).test
    right = np.zeros_like(test.images)
    right[:, :, 4:] = test.images[:, :, :-4]
    seen = [(255 - right) / np.float32(255)]
    for _ in range(2):
        seen.append(restorer(seen[-1]).images)
    expected = [(np.asarray(judge(x)) == test.labels).mean() for x in seen]
    np.testing.assert_allclose(found["accuracy"][0][1], expected)
    decibels = [psnr(x, test.images / np.float32(255)) for x in seen]
    np.testing.assert_allclose(found["psnr"][0][1], np.mean(decibels, axis=1), rtol=1e-4)
    assert np.shape(found["restored"]["applications"]) == (2, 2)
    assert composition.examine(workdir, SETTINGS) == found
    for field in ("limit", "width"):
        with pytest.raises(ValueError, match=f"^{field}: 0 is not allowed; it must be at least 1"):
            composition.examine(workdir, ConfigDict({**SETTINGS, field: 0}))
