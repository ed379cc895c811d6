"""What a detector is judged by, of predictions that are made up."""

from types import SimpleNamespace

import numpy as np
import pytest
from systems.risk.detection import tiny

from icm_jax.data import Dataset, Splits
from icm_jax.systems.risk.detection import evaluation, figures, representation
from icm_jax.systems.risk.detection.stories import tell
from icm_jax.systems.risk.worlds import World
from icm_jax.systems.risk.wrappers import Risk

# 20 test faces of the groups 0 and 1 in turns, then 10 others of group 0.
TRUE = np.repeat([1, 0], [20, 10])
GROUP = np.where(TRUE == 1, np.arange(30) % 2, 0)


def world(shares=(0.98, 0.02), rates=(0.0, 0.25)):
    def dataset(true, group, labels):
        images = np.zeros((len(true), 32, 32, 1), np.uint8)
        return Dataset(images, labels, {"group": group, "true": true})

    train = dataset(np.ones(4, int), np.array([0, 0, 0, 1]), np.array([1, 1, 1, 1]))
    return World(Splits(train, dataset(TRUE, GROUP, TRUE)), ("plain", "rare"), shares, rates)


def judge(missed=(), wrong=(), density=None, aleatoric=None, weights=(1, 1, 1, 3)):
    """The evaluation of a detector that misses some faces and takes others for one."""
    face = (TRUE == 1).astype(float)
    face[list(missed)] = 0
    face[list(wrong)] = 1
    aleatoric = np.zeros(30) if aleatoric is None else aleatoric
    risk = Risk(np.stack([1 - face, face], 1), aleatoric, np.zeros(30), density)
    config = tiny.risk_faces()
    detector = SimpleNamespace(config=config, describe=lambda variables, images: risk)
    state = SimpleNamespace(variables={}, weights=np.float32(weights))
    return evaluation.evaluate(detector, world(), state, {}, complete=False)


def test_recall_is_of_each_group():
    # Of ten faces of group 1 (odd) two are missed, of ten others one is called a face.
    summary = judge(missed=(1, 3), wrong=(25,)).summary
    assert summary["accuracy"] == {
        "all": pytest.approx(27 / 30),
        "faces": pytest.approx(18 / 20),
        "non_faces": pytest.approx(9 / 10),
        "groups": [1.0, pytest.approx(0.8)],
        "non_face_groups": [pytest.approx(9 / 10), None],
        "ordinary": 1.0,
        "worst_group": pytest.approx(0.8),
    }
    assert evaluation.headline(summary)["worst group"] == pytest.approx(0.8)


def test_what_is_drawn():
    # Weights 1, 1, 1 of group 0 and 3 of group 1; 6^2 / 12 = 3 of 4 faces.
    sampling = judge().summary["sampling"]
    assert sampling == {"groups": [0.5, 0.5], "effective": pytest.approx(3), "of": 4}


def test_scores_are_compared_with_what_was_planted():
    density = np.where(GROUP == 1, -5.0, 5.0)
    aleatoric = np.where(GROUP == 1, 0.6, 0.1)
    found = judge(density=density, aleatoric=aleatoric).summary
    assert found["scores"] == {
        "density and share": pytest.approx(1),
        "rare by density": 1.0,
        "aleatoric and rate": pytest.approx(1),
    }
    assert [row["density"] for row in found["groups"]] == [5, -5]
    turned = judge(density=-density, aleatoric=-aleatoric).summary["scores"]
    assert turned == {
        "density and share": pytest.approx(-1),
        "rare by density": 0.0,
        "aleatoric and rate": pytest.approx(-1),
    }


def test_recall_by_score_is_of_faces_in_ten_bins():
    # The density of face i is i; the two rarest are missed, and the tenth.
    found = judge(missed=(0, 1, 9), density=np.arange(30.0)).summary["bins"]["density"]
    assert found == pytest.approx([0, 1, 1, 1, 0.5, 1, 1, 1, 1, 1])


def test_a_story_has_a_row_for_each_group():
    summary = judge(missed=(1,), density=np.arange(30.0)).summary
    story = tell(summary)
    assert story.rows[1][:4] == ["rare", "2.0", "50.0", "90.0"]
    assert "recall 100.0 % of ordinary faces and 90.0 % of the worst group" in story.sentence
    assert all(len(row) == len(story.head) for row in story.rows)


def test_a_story_leaves_out_what_is_not_known():
    summary = judge(missed=(1,), density=np.arange(30.0)).summary
    (name, *_) = summary["scores"]
    notes = [tell({**summary, "scores": {name: value}}).notes for value in (0.5, None)]
    assert len(notes[0]) == len(notes[1]) + 1


def test_figures_have_a_line_for_each_group():
    made = judge(density=np.arange(30.0))
    records = [{"phase": "training", "step": 4, "evaluation": made.scalars}]
    drawn = figures.draw(made, records)
    labels = [line.get_label() for line in drawn["recall"].axes[0].get_lines()]
    assert labels == ["plain", "rare"]
    assert {"recall", "sampling", "training", "bins"} == set(drawn)


def test_bins_of_the_first_epoch_stand_beside_those_of_the_end():
    missed = {0: range(20), 2: (0, 1, 9), 4: (), 6: (0,)}  # by step; none is learned at 0
    made = {step: judge(missed=who, density=np.arange(30.0)) for step, who in missed.items()}
    records = [
        {"phase": "training", "step": step, "evaluation": each.scalars}
        for step, each in made.items()
    ]
    axes = figures.draw(made[6], records)["bins"].axes[0]
    found = {line.get_label(): line.get_ydata().tolist() for line in axes.get_lines()}
    assert axes.get_title() == "log density"
    assert found == {
        "step 2": [0, 1, 1, 1, 0.5, 1, 1, 1, 1, 1],
        "step 6": [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    }


def ranked(first, last):
    """What is shown of 100 faces of growing brightness, by densities then and at the end."""
    images = np.arange(101, dtype=np.uint8)[:, None, None, None] * np.ones((32, 32, 1), np.uint8)
    train = Dataset(images, np.array([1] * 100 + [0]), {})
    config = tiny.risk_faces()
    risk = Risk(np.zeros((100, 2)), density=np.asarray(last))
    detector = SimpleNamespace(config=config, describe=lambda variables, images: risk)
    state = SimpleNamespace(variables={}, first_density=np.append(first, 0))
    world = World(Splits(train, train), ("plain",), (1.0,), (0.0,))
    return representation.show_faces(detector, world, state)


def test_faces_are_ranked_then_and_at_the_end():
    # Then the darkest face was the rarest, at the end it is the most common one.
    shown = ranked(np.arange(1.0, 101.0), -np.arange(100.0))
    brightness = {name: values[..., 0, 0, 0].tolist() for name, values in shown.items()}
    assert brightness["least"] == [list(range(8)), list(range(99, 91, -1))]
    assert brightness["most"] == [list(range(92, 100)), list(range(7, -1, -1))]
    # Means of 0 to 9, 10 to 19, ...
    means = np.arange(4.5, 100, 10) / 255
    np.testing.assert_allclose(brightness["means"], [means, means[::-1]])
    drawn = figures._draw_faces(shown)
    assert {
        name: figure.axes[0].get_images()[0].get_array().shape[:2] for name, figure in drawn.items()
    } == {"faces": (4 * 35 + 3, 8 * 35 + 3), "mean_faces": (73, 353)}


def test_without_a_first_epoch_there_is_the_end_alone():
    shown = ranked(np.zeros(100), np.arange(100.0))
    assert {name: len(values) for name, values in shown.items()} == dict.fromkeys(shown, 1)
