import json
import sys

import pytest

from benchmarks import contenders, time_to_result


def line(step, identified, accuracy):
    scalars = {"identified": identified, "identified_mechanisms": [True, False, True]}
    return json.dumps(
        {
            "phase": "competition",
            "step": step,
            "evaluation": scalars | {"accuracy_restored": accuracy},
        }
    )


LINES = [
    json.dumps({"phase": "competition", "step": 50, "discriminator_loss": 1.0}),
    line(50, 2, 0.99),
    line(100, 3, 0.96),
    line(150, 3, 0.97),
    line(200, 3, 0.99),
]


def evaluation(step, identified, accuracy):
    return {"step": step, "identified": identified, "mechanisms": 3, "accuracy": accuracy}


def test_the_first_evaluation_with_all_mechanisms_and_the_accuracy_counts(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert time_to_result.read_evaluations(path) == []
    path.write_text("\n".join(LINES))  # the last line is not yet whole
    found = time_to_result.read_evaluations(path)
    assert found == [
        evaluation(50, 2, 0.99),
        evaluation(100, 3, 0.96),
        evaluation(150, 3, 0.97),
    ]
    assert time_to_result.first_reached(found, 0.97) == evaluation(150, 3, 0.97)
    assert time_to_result.first_reached(found, 0.95) == evaluation(100, 3, 0.96)
    assert time_to_result.first_reached(found, 0.98) is None


def writing(lines, then):
    """A command that leaves records and then does something."""
    program = "import pathlib, sys, time\n"
    program += "folder = pathlib.Path(sys.argv[1]) / 'run'\nfolder.mkdir()\n"
    program += f"(folder / 'metrics.jsonl').write_text({''.join(x + chr(10) for x in lines)!r})\n"
    return program + then


def measured(tmp_path, lines, then):
    command = [sys.executable, "-c", writing(lines, then), str(tmp_path)]
    return time_to_result.measure(command, tmp_path, 0.97)


def test_a_run_ends_where_it_should_be(tmp_path):
    found = measured(tmp_path, LINES, "time.sleep(60)")
    assert found.pop("seconds") < 30
    assert found == {"reached": True, "evaluation": evaluation(150, 3, 0.97)}


def test_a_run_that_never_comes_there_has_failed(tmp_path):
    found = measured(tmp_path, LINES[:3], "")
    assert found.pop("seconds") > 0
    assert found == {"reached": False, "evaluation": evaluation(100, 3, 0.96)}


@pytest.mark.parametrize(("lines", "then"), [([], "print('why')"), (LINES[:3], "sys.exit('why')")])
def test_a_process_that_fails_is_told(tmp_path, lines, then):
    with pytest.raises(RuntimeError, match="why"):
        measured(tmp_path, lines, then)


def test_the_table_has_medians_spread_and_failures():
    runs = [
        {"contender": "jax", "reached": True, "seconds": s, "evaluation": evaluation(e, 3, 0.98)}
        for s, e in ((100.0, 200), (300.0, 250), (140.0, 300))
    ]
    failed = {"reached": False, "seconds": 900.0, "evaluation": evaluation(3000, 1, 0.4)}
    runs += [{"contender": "jax", **failed}, {"contender": "best", **failed}]
    assert time_to_result.table(runs).splitlines()[2:] == [
        "| icm_jax | 4 | 3 | 1 | 140 (100–300) | 250 | 1 of 3, 40.0% |",
        "| PyTorch best | 1 | 0 | 1 | – | – | 1 of 3, 40.0% |",
    ]


def test_pytorch_is_left_out_where_it_is_not_there(monkeypatch, capsys):
    monkeypatch.setattr(contenders, "has_torch", lambda: False)
    assert time_to_result._parse([])[0].contenders == ["jax"]
    for flag, said in (("--contenders=best", "needs PyTorch"), ("--contenders=keras", "choose of")):
        with pytest.raises(SystemExit):
            time_to_result._parse([flag])
        assert said in capsys.readouterr().err
