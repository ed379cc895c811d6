from icm_jax.training import table

SEEDS = {
    3: {"solved": True, "count": 4, "accuracy": 0.5},
    4: {"solved": False, "count": 1, "accuracy": 0.75},
    5: {"solved": True, "count": 4, "accuracy": 1.0},
}


def test_arithmetic_by_hand():
    found = table.compare(SEEDS)
    # Deviations of the counts from 3: 1, -2, 1; (1 + 4 + 1) / 2 = 3. Of the accuracies from 0.75:
    # a quarter down, none, a quarter up; (1/16 + 1/16) / 2 = 1/16.
    assert found["mean"] == {"count": 3, "accuracy": 0.75}
    assert found["spread"] == {"count": 3**0.5, "accuracy": 0.25}
    assert found["true"] == {"solved": 2}
    assert found["seeds"]["4"] == SEEDS[4]


def test_it_reads_as_a_table():
    assert table.markdown(table.compare(SEEDS)) == (
        "| seed | solved | count | accuracy |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| 3 | yes | 4 | 0.5 |\n"
        "| 4 | no | 1 | 0.75 |\n"
        "| 5 | yes | 4 | 1 |\n"
        "| mean | 2 of 3 | 3 | 0.75 |\n"
        "| spread |  | 1.732 | 0.25 |\n"
    )


def test_what_a_seed_has_not_is_left_out_of_the_mean():
    found = table.compare({0: {"a": None, "b": 1.0}, 1: {"a": 0.5, "c": True}, 2: {"b": 3.0}})
    assert found["seeds"]["0"] == {"a": None, "b": 1.0, "c": None}
    assert found["mean"] == {"a": 0.5, "b": 2.0}
    assert found["spread"] == {"a": None, "b": 2**0.5}
    assert found["true"] == {"c": 1}
    nothing = table.compare({0: {"a": float("nan")}, 1: {"a": None}})
    assert nothing["mean"] == nothing["spread"] == {"a": None}
    assert table.markdown(found).splitlines()[2:] == [
        "| 0 |  | 1 |  |",
        "| 1 | 0.5 |  | yes |",
        "| 2 |  | 3 |  |",
        "| mean | 0.5 | 2 | 1 of 3 |",
        "| spread |  | 1.414 |  |",
    ]
