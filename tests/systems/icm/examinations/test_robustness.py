import functools

import jax
import numpy as np
import pytest

from icm_jax.systems.icm.examinations import robustness, trained
from icm_jax.systems.icm.examinations.robustness import Case, Networks

# Images [1, 1, 3]: mechanism k raises channel k, channel 2 tells the class, 1 to 4.
BANK = [functools.partial(lambda key, x, k: x.at[..., k].add(0.25), k=k) for k in range(2)]
LABELS = np.array([3, 1, 2, 4, 1], np.int32)
IMAGES = np.zeros((5, 1, 1, 3), np.float32)
IMAGES[..., 2] = (LABELS / 4)[:, None, None]
CASES = [
    Case("clean", "clean", -1, -1, 5),
    Case("known", "first", 0, -1, 4),
    Case("known", "second", 1, -1, 2),
    Case("two in a row", "first, second", 0, 1, 4),
    Case("unknown", "other", 1, 1, 2),
]


def restore(images):
    """The expert undoes the first mechanism, clean or not; what it spoils is left.

    After calibration everything is.
    """
    images = np.asarray(images)
    won = images.copy()
    won[..., 0] -= 0.25
    left = images[:, 0, 0, 0] == 0
    best = np.where(left[:, None, None, None], images, won)
    return won, best, images, np.ones(len(images), bool)


def classify(images):
    pixels = np.asarray(images)[:, 0, 0]
    return np.where((pixels[:, :2] == 0).all(axis=1), np.round(4 * pixels[:, 2]), 0)


def augmented(images):
    """Knows the class 1 alone."""
    return np.where(np.round(4 * np.asarray(images)[:, 0, 0, 2]) == 1, 1, 0)


def oracle(images, mechanism):
    images = np.array(images)
    for k in range(2):
        images[mechanism == k, 0, 0, k] -= 0.25
    return images


@pytest.fixture(scope="module")
def found():
    networks = Networks(restore, classify, augmented, oracle)
    outcome = robustness.measure(networks, BANK, CASES, IMAGES, LABELS, jax.random.key(0))
    return {
        "seed": 0,
        "mechanisms": ["first", "second"],
        "cases": robustness.summarize(outcome, CASES),
    }


def test_every_way_has_its_own_accuracy(found):
    # bare, experts, or left, calibrated, twice, augmented, oracle. Of the classes 3, 1, 2, 4, 1
    # two are 1, of the first four one, of the first two one.
    expected = {
        "clean": [1, 0, 1, 1, np.nan, 0.4, 1],
        "first": [0, 1, 1, 0, np.nan, 0.25, 1],
        "second": [0, 0, 0, 0, np.nan, 0.5, 1],
        "first, second": [0, 0, 0, 0, 0, 0.25, 1],
        "other": [0, 0, 0, 0, np.nan, 0.5, np.nan],
    }
    for case in found["cases"]:
        accuracy = list(case["accuracy"].values())
        np.testing.assert_allclose(accuracy, expected[case["name"]], err_msg=case["name"])
    assert [case["left"] for case in found["cases"]] == [1] * 5
    assert [case["images"] for case in found["cases"]] == [5, 4, 2, 4, 2]


def test_what_is_made_good(found):
    assert trained.made_good(0.6, 0.9, 1.0) == pytest.approx(0.75)
    assert trained.made_good(0.6, 0.5, 1.0) == pytest.approx(-0.25)
    assert np.isnan(trained.made_good(1.0, 1.0, 1.0))
    assert np.isnan(trained.made_good(0.3, 0.6, 0.1))  # nothing was lost
    numbers = robustness.numbers(found)
    assert numbers["accuracy clean, experts"] == 0 and numbers["accuracy clean, or left"] == 1
    assert numbers["accuracy known, or left"] == numbers["fraction made good, or left"] == 0.5
    assert numbers["accuracy known, augmented"] == pytest.approx(0.375)
    assert "fraction made good, bare" not in numbers
    assert numbers["accuracy unknown, calibrated"] == numbers["accuracy two in a row, bare"] == 0


def test_without_rivals_their_columns_are_left_out():
    networks = Networks(restore, classify)
    outcome = robustness.measure(networks, BANK, CASES[:2], IMAGES, LABELS, jax.random.key(0))
    alone = {"seed": 0, "mechanisms": [], "cases": robustness.summarize(outcome, CASES[:2])}
    head, rows = robustness.tables([alone])["groups"]
    assert head[1:] == [*(f"accuracy {way}" for way in robustness.WAYS[:4]), "fraction left"]
    assert not any("oracle" in name or "augmented" in name for name in robustness.numbers(alone))


def test_cases_are_numbered_as_their_mechanisms():
    settings = robustness.SETTINGS.defaults()
    settings.images, settings.pairs = 30, 7
    settings.weaker = ({"name": "noise", "std": 0.1},)
    settings.unknown = ("haze", "zoom")
    cases = robustness.make_cases(["invert", "noise"], settings, 200)
    assert cases == [
        Case("clean", "clean", -1, -1, 200),
        Case("known", "invert", 0, -1, 30),
        Case("known", "noise", 1, -1, 30),
        Case("weaker", "noise(std=0.1)", 2, -1, 30),
        Case("unknown", "haze", 3, -1, 30),
        Case("unknown", "zoom", 4, -1, 30),
        Case("two in a row", "invert, noise", 0, 1, 7),
        Case("two in a row", "noise, invert", 1, 0, 7),
    ]


def test_tables_and_figures_are_means_of_seeds(found):
    other = {**found, "cases": [{**c, "left": 0.0} for c in found["cases"]]}
    tables = robustness.tables([found, other])
    head, rows = tables["groups"]
    assert [row[0] for row in rows] == ["clean", "known", "two in a row", "unknown"]
    assert [row[-1] for row in rows] == [0.5] * 4
    assert [row[:2] for row in tables["cases"][1]] == [
        ["clean", "clean"],
        ["known", "first"],
        ["known", "second"],
        ["unknown", "other"],
    ]
    drawn = robustness.figures([found, other])
    assert list(drawn) == ["mechanisms", "unknown"]
    for figure in drawn.values():
        figure.canvas.draw()


def test_a_finished_run_is_examined_and_its_rival_is_trained_once(folder_run):
    workdir, _ = folder_run
    settings = robustness.SETTINGS.defaults()
    settings.images, settings.pairs, settings.unknown = 3, 1, ("haze",)
    settings.augmented_steps, settings.oracle_steps = 1, 0
    found = robustness.examine(workdir, settings)
    assert [case["images"] for case in found["cases"]] == [12, 3, 3, 3, 1, 1]
    assert all(case["accuracy"]["augmented"] is not None for case in found["cases"])
    assert all(case["accuracy"]["oracle"] is None for case in found["cases"])
    (written,) = (workdir / "examined").glob("augmented_1-*/summary.json")
    before = written.stat().st_mtime_ns
    assert robustness.examine(workdir, settings) == found
    assert written.stat().st_mtime_ns == before
