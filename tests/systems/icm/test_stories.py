import pytest

from icm_jax.systems.icm import stories

NAMES = ["shift", "invert", "noise"]


def summary(wins, **changes):
    """Three mechanisms, of which the first two are identified."""
    return {
        "system": "icm",
        "specialization": {
            "mechanisms": NAMES,
            "wins": wins,
            "identified": 2,
            "identified_mechanisms": [True, True, False],
            "idle": [],
            "found": 2,
            "dropped": [],
        },
        "accuracy": None,
        "called_canonical": None,
        "psnr": None,
        "psnr_transformed": None,
        "kept": None,
        **changes,
    }


def judged(canonical):
    return {
        canonical: 0.99,
        "transformed": 0.5,
        "restored": 0.9,
        "per_mechanism": {
            name: {"transformed": 0.1 * i, "restored": 0.3 * i} for i, name in enumerate(NAMES)
        },
    }


def decibels(*values):
    return dict(zip(NAMES, values, strict=True))


WINS = [[0.0, 1.0, 0.0], [0.95, 0.05, 0.0], [0.0, 0.0, 0.0]]
ORIGINALS = {"psnr": decibels(20.0, 10.0, 15.0), "psnr_transformed": decibels(8.0, 0.25, 6.75)}


def test_digits():
    story = stories.tell_competition(summary(WINS, accuracy=judged("original"), **ORIGINALS))
    assert story.sentence == (
        "2 of 3 mechanisms identified; accuracy 99.0% original, 50.0% transformed, 90.0% restored"
    )
    assert story.picture == "experts" and story.curves == ("accuracy", "scores", "losses")
    assert story.head == [
        *("mechanism", "expert", "its wins (%)", "identified", "accuracy (%)", "PSNR (dB)")
    ]
    assert story.rows == [
        ["shift", "1", "100.0", "yes", "0.0 → 0.0", "8.0 → 20.0"],
        ["invert", "0", "95.0", "yes", "10.0 → 30.0", "0.2 → 10.0"],
        # Nobody won anything of it.
        ["noise", "–", "0.0", "no", "20.0 → 60.0", "6.8 → 15.0"],
        ["all", "", "", "2 of 3", "50.0 → 90.0", "5.0 → 15.0"],
    ]
    assert story.notes == [
        "Arrows lead from transformed images to restored ones.",
        "A mechanism is identified where one expert wins at least 90% of its images and is the "
        "main winner of no other.",
        "Counted without labels, the experts stand for 2 mechanisms.",
    ]


def test_faces():
    kept = {"psnr": decibels(1.0, 1.0, None), "ssim": decibels(0.5, 0.9, None)}
    found = summary(WINS, called_canonical=judged("canonical"), kept=kept, **ORIGINALS)
    story = stories.tell_competition(found)
    assert story.sentence.endswith(
        "; called canonical: 99.0% canonical, 50.0% transformed, 90.0% restored"
    )
    assert story.head[4:] == ["called canonical (%)", "PSNR (dB)", "SSIM kept"]
    assert [row[-1] for row in story.rows] == ["0.50", "0.90", "–", "0.70"]
    assert story.curves[0] == "called_canonical"


def test_groups_have_no_originals():
    story = stories.tell_competition(summary(WINS))
    assert story.sentence == "2 of 3 mechanisms identified"
    assert story.head == ["mechanism", "expert", "its wins (%)", "identified"]
    assert not any("Arrows" in note for note in story.notes)


def test_of_one_expert_nothing_is_identified():
    found = summary([[1.0]] * 3, accuracy=judged("original"))
    story = stories.tell_competition(found)
    assert story.sentence == "accuracy 99.0% original, 50.0% transformed, 90.0% restored"
    assert story.head == ["mechanism", "accuracy (%)"]
    assert story.notes == ["Arrows lead from transformed images to restored ones."]


def test_experts_that_are_left_over_are_named():
    found = summary([row + [0.0] * 27 for row in WINS])
    found["specialization"] |= {"idle": list(range(2, 30)), "dropped": [29], "found": 1}
    story = stories.tell_competition(found)
    assert all(len(row) == len(story.head) for row in story.rows)
    assert story.notes[1:] == [
        "Counted without labels, the experts stand for 1 mechanism.",
        f"Idle: experts {', '.join(map(str, range(2, 30)))}.",
        "Dropped: expert 29.",
    ]


def test_an_oracle_has_nothing_to_find():
    found = summary(WINS, accuracy=judged("original"), system="oracle")
    story = stories.tell_oracle(found)
    assert story.sentence == (
        "Oracle, told the mechanisms; accuracy 99.0% original, 50.0% transformed, 90.0% restored"
    )
    assert story.head == ["mechanism", "accuracy (%)"]
    assert len(story.rows) == 4


@pytest.mark.parametrize("missing", ["found", "dropped"])
def test_runs_of_older_versions_can_be_told(missing):
    found = summary(WINS)
    del found["specialization"][missing]
    assert stories.tell_competition(found).sentence == "2 of 3 mechanisms identified"
