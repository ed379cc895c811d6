from benchmarks import generator


def test_a_training_takes_its_steps_times_the_median_of_one():
    found = {"ours": {"times": [0.1, 0.3, 0.2]}, "theirs": {"times": [0.5]}}
    head, rows = generator._table(found, {"ours": 600})
    assert len(head) == len(rows[0])
    assert rows[0] == ["ours", "200", "150 to 250", "600", "2"]
    assert rows[1] == ["theirs", "500", "500 to 500", "56250", "469"]
