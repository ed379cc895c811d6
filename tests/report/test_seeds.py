from icm_jax.report import seeds
from icm_jax.report.story import Measure

TABLE = {
    "seeds": {
        "3": {"solved": True, "restored": 0.5, "PSNR": 10.0, "steps": 40},
        "4": {"solved": False, "restored": 0.75, "PSNR": None, "steps": 20},
    },
    "mean": {"restored": 0.625, "PSNR": 12.0, "steps": 30.0},
    "spread": {"restored": 0.1768, "PSNR": 1.25, "steps": 14.14},
    "true": {"solved": 1},
}
MEASURES = {
    "restored": Measure("accuracy", "%"),
    "PSNR": Measure("PSNR", "dB"),
    "absent": Measure("absent"),
}


def test_mean_and_spread_stand_in_the_sentence():
    story = seeds.tell(TABLE, MEASURES, {"3": "seed_3/report.html"})
    assert story.sentence == "2 seeds: solved in 1 of 2; accuracy 62.5 ± 17.7%; PSNR 12.0 ± 1.2 dB"
    assert story.links == {"3": "seed_3/report.html"}


def test_the_table_has_a_row_a_seed_and_their_mean_and_spread():
    story = seeds.tell(TABLE, MEASURES, {})
    assert story.head == ["seed", "solved", "accuracy (%)", "PSNR (dB)", "steps"]
    assert story.rows == [
        ["3", "yes", "50.0", "10.0", "40"],
        ["4", "no", "75.0", "–", "20"],
        ["mean", "1 of 2", "62.5", "12.0", "30"],
        ["spread", "", "17.7", "1.2", "14.14"],
    ]


def test_nothing_to_tell_but_their_number():
    table = {"seeds": {"0": {"steps": 1}, "1": {"steps": 1}}, "mean": {"steps": 1.0}}
    assert seeds.tell(table | {"spread": {"steps": 0.0}, "true": {}}, {}, {}).sentence == "2 seeds"
