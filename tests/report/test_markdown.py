from icm_jax.report import markdown


def test_numbers_stand_on_the_right():
    assert markdown.table(["a", "b", "c"], [["x", "1", "2"]]) == (
        "| a | b | c |\n| --- | ---: | ---: |\n| x | 1 | 2 |\n"
    )


def test_text_stands_on_the_left():
    assert markdown.table(["a", "b"], [], numbers=False) == "| a | b |\n| --- | --- |\n"
