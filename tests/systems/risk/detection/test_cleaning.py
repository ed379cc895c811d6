"""What is told of images that were left out."""

import numpy as np
import pytest

from icm_jax.data import Dataset, Splits
from icm_jax.systems.risk.detection.cleaning import describe_cleaning
from icm_jax.systems.risk.detection.stories import _tell_cleaning
from icm_jax.systems.risk.worlds import World

# Two groups; faces first in each. Of the second two faces and a non-face are labelled wrongly.
GROUP = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
TRUE = np.array([1, 1, 0, 0, 1, 1, 1, 1, 0, 0])
LABELS = np.array([1, 1, 0, 0, 0, 0, 1, 1, 1, 0])


def make_world():
    split = Dataset(np.zeros((10, 4, 4, 1), np.uint8), LABELS, {"group": GROUP, "true": TRUE})
    return World(Splits(split, split), ("plain", "invert"), (0.5, 0.5), (0.0, 0.5))


def test_what_is_left_out_is_counted():
    weights = np.ones(10, np.float32)
    weights[[3, 4, 6, 7]] = 0  # of the wrong ones 4 alone
    found = describe_cleaning(make_world(), weights)
    rows = found.pop("groups")
    assert found == {
        "left_out": 4,
        "of": 10,
        "wrong": 1 / 4,
        "found": pytest.approx(1 / 3),
        "wrong_before": 3 / 10,
        "wrong_after": pytest.approx(2 / 6),
    }
    by_cell = {(row.pop("name"), row.pop("face")): row for row in rows}
    assert list(by_cell) == [(n, f) for n in ("plain", "invert") for f in (True, False)]
    assert by_cell["invert", True] == {
        "images": 4,
        "left_out": 3 / 4,
        "wrong": pytest.approx(1 / 3),
        "wrong_before": 2 / 4,
        "wrong_after": 1.0,
    }
    assert by_cell["plain", True]["wrong"] is None and by_cell["plain", True]["left_out"] == 0
    (said,) = _tell_cleaning(describe_cleaning(make_world(), weights))
    assert said.startswith("4 of 10 training images were left out") and "25.0 % of them" in said


def test_nothing_is_told_of_nothing():
    assert describe_cleaning(make_world(), np.ones(10, np.float32)) == {}
    assert _tell_cleaning({}) == []
