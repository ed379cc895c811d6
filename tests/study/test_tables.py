from icm_jax.study import tables as study_table

ROWS = [
    {"variant": "a", "seed": 0, "solved": True, "accuracy": 0.5, "steps": 100},
    {"variant": "b", "seed": 0, "solved": False, "accuracy": 0.25, "steps": None},
    {"variant": "a", "seed": 1, "solved": False, "accuracy": 0.75, "steps": None, "more": 2},
]


def test_means_and_spreads_by_hand():
    head, rows = study_table.compare(ROWS)
    assert head == ["variant", "seeds", "solved", "accuracy", "steps", "more"]
    # Deviations of a quarter: the square root of (1/64 + 1/64) / 1 is 0.1768.
    assert rows == [
        ["a", "0, 1", "1 of 2", "62.5% ± 17.7%", "100 (1 of 2)", "2 (1 of 2)"],
        ["b", "0", "0 of 1", "25.0%", "–", "–"],
    ]


def test_what_is_not_a_number_is_left_out():
    rows = [
        {"variant": "a", "seed": s, "gain": x, "none": float("nan")}
        for s, x in enumerate((1.0, float("nan"), float("inf"), 2.0))
    ]
    _, ((*_, gain, none),) = study_table.compare(rows)
    assert (gain, none) == ("1.5 ± 0.7071 (2 of 4)", "–")


def test_numbers_of_an_examination_alone():
    rows = [{"variant": "a", "seed": 0, "x": 1, "b: x": 2, "b: y, z": 3, "c: x": 4}]
    key = {"variant": "a", "seed": 0}
    assert study_table.of_prefix(rows, "") == [key | {"x": 1}]
    assert study_table.of_prefix(rows, "b") == [key | {"x": 2, "y, z": 3}]
    assert study_table.of_prefix(rows, "d") == [key]


def test_numbers_of_other_tables():
    rows = study_table.texts(["pair", "accuracy", "PSNR"], [["a", 0.5, 20.123456]])
    assert rows == [["a", "50.0%", "20.12"]]
    assert study_table.texts(["pair", "accuracy"], [["a", float("nan")]]) == [["a", "–"]]


def test_it_reads_as_csv():
    assert study_table.csv_text(ROWS[:2]) == (
        "variant,seed,solved,accuracy,steps\na,0,True,0.5,100\nb,0,False,0.25,\n"
    )
