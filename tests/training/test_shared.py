"""Auxiliary runs that are kept for other runs: whole, checked, and never an end of a run."""

import json
import logging
import os

import numpy as np
import pytest
from processes import full_disk
from training import toy

from icm_jax.training import shared

PLACE = "judge-0123"


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """The folder of a finished run that a judge might be, and the place where it is kept."""
    root = tmp_path_factory.mktemp("judge")
    toy.train(root / "judge", toy.system(steps=(0, 4)))
    shared.keep(root / "judge", root / "parts" / PLACE)
    return root / "judge", root / "parts" / PLACE


def copied(place, tmp_path):
    """A place of one's own with the same."""
    shared.keep(place, tmp_path / "parts" / PLACE)
    return tmp_path / "parts" / PLACE


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_taken_is_what_was_kept_but_for_its_config(judge, tmp_path, caplog):
    caplog.set_level(logging.INFO, "icm_jax")
    folder, place = judge
    shared.take(place, tmp_path / "run" / "judge", {"seed": 9})
    (message,) = (record.message for record in caplog.records)
    assert message == f"judge was taken from {place}, where an earlier run has left it"
    found, kept = contents(tmp_path / "run" / "judge"), contents(folder)
    assert json.loads(found.pop((tmp_path / "config.json").relative_to(tmp_path))) == {"seed": 9}
    said = json.loads(found.pop((tmp_path / "summary.json").relative_to(tmp_path)))
    assert said == json.loads((folder / "summary.json").read_text()) | {"config": {"seed": 9}}
    taken = [path for path in found if path.name == shared.TAKEN]
    assert [json.loads(found.pop(path)) for path in taken] == [{"place": str(place)}]
    assert found == {path: kept[path] for path in found}
    left_out = {path.parts[0] for path in kept.keys() - found.keys()}
    assert left_out == {"config.json", "summary.json", "tensorboard", ".lock"}
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["judge"]


@pytest.mark.parametrize("damage", ["changed", "missing", "unlisted", "no list"])
def test_what_is_damaged_is_not_taken_and_makes_room(judge, tmp_path, damage, caplog):
    place = copied(judge[0], tmp_path)
    if damage == "changed":
        records = place / "metrics.jsonl"
        records.write_bytes(records.read_bytes()[:-1])
    elif damage == "unlisted":
        (place / "more").touch()
    else:
        (place / ("files.json" if damage == "no list" else "summary.json")).unlink()
    shared.take(place, tmp_path / "run" / "judge", {})
    assert not place.exists() and not list((tmp_path / "run").iterdir())
    assert f"judge is trained: what {place} holds cannot be used: it is damaged" in caplog.text
    shared.keep(judge[0], place)
    shared.take(place, tmp_path / "run" / "judge", {})
    assert (tmp_path / "run" / "judge").is_dir()


def test_what_is_not_finished_is_not_kept_and_what_is_there_is_left(judge, tmp_path):
    (tmp_path / "judge").mkdir()
    shared.keep(tmp_path / "judge", tmp_path / "parts" / PLACE)
    assert not (tmp_path / "parts").exists()
    shared.take(judge[1], tmp_path / "judge", {})
    assert not list((tmp_path / "judge").iterdir())
    before = contents(judge[1])
    shared.keep(judge[0], judge[1])
    assert contents(judge[1]) == before


def test_a_process_that_is_faster_wins(judge, tmp_path, monkeypatch):
    place = tmp_path / "parts" / PLACE
    copytree = shared.shutil.copytree

    def slowly(source, target, ignore=None):
        monkeypatch.undo()
        shared.keep(source, place)  # by another
        (place / "its").touch()
        return copytree(source, target, ignore=ignore)

    monkeypatch.setattr(shared.shutil, "copytree", slowly)
    shared.keep(judge[0], place)
    assert (place / "its").exists() and [p.name for p in place.parent.iterdir()] == [PLACE]


@pytest.mark.parametrize("where", ["full", "a file"])
def test_a_place_that_cannot_be_written_is_told(judge, tmp_path, where, caplog):
    place = tmp_path / "parts" / PLACE
    if where == "full":
        with full_disk(100):
            shared.keep(judge[0], place)
        assert not list(place.parent.iterdir())
    else:
        place.parent.touch()
        shared.keep(judge[0], place)
    assert caplog.text.count("judge is not kept for other runs: ") == 1


def test_a_full_disk_here_loses_nothing_there(judge, tmp_path, caplog):
    with full_disk(100):
        shared.take(judge[1], tmp_path / "judge", {})
    assert "judge is trained: " in caplog.text
    assert judge[1].is_dir() and not list(tmp_path.iterdir())


def test_the_oldest_go(judge, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "_MOST", 2)
    for number in range(4):
        shared.keep(judge[0], tmp_path / "parts" / str(number))
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["2", "3"]


def test_what_is_no_part_stays_wherever_parts_are_kept(judge, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "_MOST", 1)
    parts, left = tmp_path / "parts", f"judge.{'0' * 32}.tmp"  # of a process that died
    for name in ("thesis", "judge.tmp", left):
        (parts / name).mkdir(parents=True)
        os.utime(parts / name, (0, 0))
    (parts / "notes").touch()
    shared.keep(judge[0], parts / "new")
    assert sorted(path.name for path in parts.iterdir()) == ["judge.tmp", "new", "notes", "thesis"]


def test_a_run_takes_its_judge_from_where_another_has_left_it(tmp_path):
    asked = []

    def find_place(name):
        asked.append(name)
        return tmp_path / "parts" / name

    seen = []

    def evaluate(state, auxiliary, complete):
        seen.append(np.asarray(auxiliary["judge"]["w"]))
        return toy.evaluate(state, auxiliary, complete)

    judge = toy.system(steps=(0, 4))
    system = toy.system(evaluate=evaluate, auxiliary={"judge": judge}, steps=(0, 2))
    for name in ("first", "second"):
        toy.train(tmp_path / name, system, find_place=find_place)
        assert (tmp_path / name / "judge" / shared.TAKEN).exists() == (name == "second")
    assert asked == ["judge"] * 2 and len(seen) == 4
    for w in seen:
        np.testing.assert_array_equal(w, seen[0])
    # A run that has its own, and an evaluation, ask for none.
    (tmp_path / "second" / "summary.json").unlink()
    toy.train(tmp_path / "second", system, find_place=find_place)
    toy.evaluate_again(tmp_path / "second", system)
    assert asked == ["judge"] * 2
