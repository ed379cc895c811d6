"""Recall by measured luminance, of faces whose luminance is made up."""

from types import SimpleNamespace

import numpy as np
import pytest
from systems.risk.detection import tiny

from icm_jax.data import Dataset, Splits
from icm_jax.systems.risk.detection import evaluation, figures
from icm_jax.systems.risk.detection.stories import tell
from icm_jax.systems.risk.worlds import World
from icm_jax.systems.risk.wrappers import Risk


def make_world(test_luminance, group, colour=True):
    """Training faces of luminance 0 to 99, so that quarters end at 24.75, 49.5 and 74.25."""

    def dataset(luminance, group):
        count = len(luminance)
        true = np.arange(count) % 10 < 9  # every tenth is no face
        known = {"group": np.asarray(group), "true": true.astype(int)}
        if colour:
            known["luminance"] = np.asarray(luminance, np.float32)
        images = np.zeros((count, 32, 32, 3 if colour else 1), np.uint8)
        return Dataset(images, true.astype(int), known)

    # What is no face is bright, and no quartile of faces.
    train = np.full(111, 200.0)
    train[np.arange(111) % 10 < 9] = np.arange(100)
    splits = Splits(dataset(train, np.zeros(111, int)), dataset(test_luminance, group))
    return World(splits, ("plain", "rare"), (0.9, 0.1), (0.0, 0.0))


# Nine faces of which the last is of a planted group, and what is no face.
LUMINANCE = [10, 20, 30, 40, 50, 60, 70, 90, 0, 0]
GROUP = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]


def judge(missed, colour=True):
    face = np.arange(10) < 9
    face[list(missed)] = False
    density = -np.arange(10.0)
    risk = Risk(np.stack([~face, face], 1), np.zeros(10), np.zeros(10), density)
    detector = SimpleNamespace(config=tiny.risk_faces(), describe=lambda variables, images: risk)
    state = SimpleNamespace(variables={}, weights=np.ones(111, np.float32))
    world = make_world(LUMINANCE, GROUP, colour)
    return evaluation.evaluate(detector, world, state, {}, complete=False)


def test_recall_and_density_of_each_quarter():
    made = judge(missed=(1, 6, 8))  # 8 is of the planted group and does not count
    rows = made.summary["luminance"]
    assert [(r["name"], r["faces"], r["luminance"], r["recall"], r["density"]) for r in rows] == [
        ("darkest", 2, 15, 0.5, -0.5),
        ("darker", 2, 35, 1.0, -2.5),
        ("brighter", 3, 60, pytest.approx(2 / 3), -5),
        ("brightest", 1, 90, 1.0, -7),
    ]
    numbers = evaluation.numbers(made.summary, [])
    assert numbers["darkest quarter"] == 0.5 and numbers["brightest quarter"] == 1
    said = " ".join(tell(made.summary).notes)
    assert "50.0 of 2, 100.0 of 2, 66.7 of 3, 100.0 of 1; mean log density: -0.5, -2.5" in said
    records = [{"phase": "training", "step": 1, "evaluation": made.scalars}]
    drawn = figures.draw(made, records)["luminance"].axes
    lines = {axes.get_title(): axes.get_lines()[0].get_xydata().tolist() for axes in drawn}
    assert lines["recall"] == [[15, 0.5], [35, 1], [60, pytest.approx(2 / 3)], [90, 1]]
    assert lines["log density"][0] == [15, -0.5]


def test_grey_faces_are_not_measured():
    made = judge(missed=(), colour=False)
    assert made.summary["luminance"] == [] and "luminance" not in made.summary["pictures"]
    assert not any("quarter" in name for name in evaluation.numbers(made.summary, []))
    assert "luminance" not in " ".join(tell(made.summary).notes)
