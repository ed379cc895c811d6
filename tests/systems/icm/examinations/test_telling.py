import numpy as np
import pytest

from icm_jax.systems.icm.diagnosis import Scored
from icm_jax.systems.icm.examinations import telling
from icm_jax.systems.icm.examinations.cases import Case
from icm_jax.systems.icm.examinations.telling import Answers

LOG3 = np.log(3)  # of which the confidence is 3/4


def test_answers_of_hand_made_scores():
    scored = Scored(None, np.float32([[1, -2, 5], [3, -1, 4]]), np.float32([0, 6, 1]))
    found = telling.answer(scored, ("up", "noise"))
    assert found.mechanism.tolist() == ["noise", "none", "up"]
    assert found.expert.tolist() == ["noise", "noise", "up"]
    assert found.margin.tolist() == [2, 7, 1]
    assert found.score.tolist() == [3, 6, 5]
    assert found.advantage.tolist() == [-3, 7, -4]


def test_calibration_by_hand():
    # Four answers of confidence 3/4, three right: none is off. Four of which one is right: 1/2.
    margin = np.full(4, LOG3)
    assert telling.calibration_error(margin, np.array([1, 1, 1, 0], bool)) == pytest.approx(0)
    assert telling.calibration_error(margin, np.array([1, 0, 0, 0], bool)) == pytest.approx(0.5)
    # Half of 3/4 and half of 9/10 (margin log 9), all right: (1/4 + 1/10) / 2.
    both = np.array([LOG3, LOG3, np.log(9), np.log(9)])
    assert telling.calibration_error(both, np.ones(4, bool)) == pytest.approx(0.175)
    bins = telling.bin_confidence(both, np.array([1, 0, 1, 1], bool))
    # 3/4 is the upper end of the fifth bin from 0.5 of width 0.05, 9/10 of the eighth.
    there = bins["count"] > 0
    assert bins["count"].sum() == 4 and bins["count"].max() == 2
    np.testing.assert_allclose(bins["confidence"][there], [0.75, 0.9])
    np.testing.assert_allclose(bins["accuracy"][there], [0.5, 1])


def test_the_temperature_that_makes_confidence_true():
    # Margins 2 log 3, of which three in four are right: halved they are just as sure.
    margin, right = np.full(4, 2 * LOG3), np.array([1, 1, 0, 1], bool)
    assert telling.fit_temperature(margin, right) == pytest.approx(2, rel=1e-3)
    # As many wrong as right: no confidence is low enough.
    assert telling.fit_temperature(np.ones(2), np.array([True, False])) > 90


CASES = [
    Case("clean", "none", -1, -1, 4),
    Case("known", "up", 0, -1, 4),
    Case("unknown", "haze", 1, -1, 2),
]


@pytest.fixture(scope="module")
def found():
    up = np.array(["up"] * 4)
    names = np.array(["none"] * 3 + ["up"])
    clean = Answers(names, up, np.full(4, 2.0), np.full(4, 3.0), np.arange(4.0))
    known = Answers(up, up, np.full(4, 2.0), np.full(4, 1.0), np.full(4, 0.5))
    haze = Answers(up[:2], up[:2], np.array([1.0, 3.0]), np.array([0.0, 2.0]), np.zeros(2))
    summary = telling.summarize([clean, known, haze], CASES, lead=-1.5)
    return {"seed": 0, "images": 4, **summary}


def test_what_is_right_and_what_is_noticed(found):
    assert found["accuracy"] == {"none": 0.75, "up": 1} and found["right"] == 7 / 8
    # By 1.5 the clean images' advantages 2 and 3 are ahead, and none of the known.
    assert found["calibrated"] == {"none": 0.5, "up": 1}
    # Of the clean images' advantages 0 to 3 three are above 0.5.
    assert found["clean"] == 0.75
    # Known scores are 3 and 1, half each: of 8 x 2 pairs with 0 and 2 all and half are above.
    assert found["unknown"]["haze"] == {"score": 0.75, "confidence": 0.5, "taken_for": "up"}
    sure = 1 / (1 + np.exp(-2))
    assert found["ece"] == pytest.approx(abs(7 / 8 - sure))


def test_numbers_tables_and_figures(found):
    numbers = telling.numbers(found)
    assert numbers["accuracy, known mechanisms"] == 1 and numbers["accuracy, clean"] == 0.75
    assert numbers["AUROC unknown, by score"] == 0.75
    assert numbers["accuracy, clean, calibrated"] == 0.5
    tables = telling.tables([found, {**found, "accuracy": {"none": 0.25, "up": 0}}])
    assert tables["mechanisms"][1] == [["none", 0.5, 0.5], ["up", 0.5, 1]]
    assert tables["unknown"][1] == [["haze", 0.75, 0.5, "up"]]
    (figure,) = telling.figures([found]).values()
    figure.canvas.draw()


def test_a_finished_run_is_asked(folder_run):
    workdir, config = folder_run
    settings = telling.SETTINGS.defaults()
    settings.images, settings.unknown = 3, ("haze",)
    found = telling.examine(workdir, settings)
    assert list(found["accuracy"]) == ["none", "translate_right", "invert"]
    settings.own, settings.data = False, config.data
    assert set(telling.examine(workdir, settings)) == set(found)
