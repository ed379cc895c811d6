"""The judge of a run is that of an earlier one where both depend on the same."""

import logging

import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import cache, experiment, parts
from icm_jax.data import Dataset, Splits


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path):
    monkeypatch.setenv("ICM_JAX_PARTS", str(tmp_path / "parts"))
    return tmp_path / "parts"


def judged():
    """A config of which the judge alone is trained."""
    config = tiny.icm()
    config.classifier.steps, config.initialization.steps, config.competition.steps = 3, 0, 0
    return config


def changed(data, **fields):
    return Splits(data.train._replace(**fields), data.test)


def test_a_place_belongs_to_fields_data_code_versions_and_devices(kept, monkeypatch):
    data = tiny.splits()
    place = parts.place_of("classifier", "abc", data)
    assert place.parent == kept and place.name.startswith("classifier-")
    assert parts.place_of("classifier", "abc", tiny.splits()) == place
    images = data.train.images.copy()
    images[3, 2, 1] += 1
    others = [
        parts.place_of("generator", "abc", data),
        parts.place_of("classifier", "abd", data),
        parts.place_of("classifier", "abc", changed(data, images=images)),
        parts.place_of("classifier", "abc", changed(data, images=images.reshape(40, 1, 144, 1))),
        parts.place_of("classifier", "abc", changed(data, labels=data.train.labels[::-1])),
        parts.place_of("classifier", "abc", changed(data, attributes={"a": data.train.labels})),
        parts.place_of("classifier", "abc", changed(data, attributes={"b": data.train.labels})),
        parts.place_of("classifier", "abc", Splits(data.test, data.train)),
    ]
    monkeypatch.setattr(parts.metadata, "version", lambda name: "0.0")
    others.append(parts.place_of("classifier", "abc", data))
    monkeypatch.undo()
    monkeypatch.setenv("ICM_JAX_PARTS", str(kept))
    monkeypatch.setattr(parts, "_add_code", lambda add: add(b"other"))
    others.append(parts.place_of("classifier", "abc", data))
    assert len({place, *others}) == 1 + len(others)


def test_names_of_people_are_data_too():
    def of(*names):
        images, labels = np.zeros((2, 1, 1, 1), np.uint8), np.zeros(2, np.int32)
        return parts.place_of("a", "b", Dataset(images, labels, {"who": np.array(names, object)}))

    assert of("x", "y") == of("x", "y") != of("x", "z")


def test_where_it_is_kept_and_that_it_need_not_be(monkeypatch, caplog):
    monkeypatch.delenv("ICM_JAX_PARTS")
    assert cache.parts() == cache.folder("parts")
    monkeypatch.setenv("ICM_JAX_PARTS", "")
    assert cache.parts() is None and parts.place_of("classifier", "abc", ()) is None
    monkeypatch.setenv("ICM_JAX_PARTS", "gs://bucket/parts")
    assert cache.parts() is None
    assert "no auxiliary run is kept for other runs: ICM_JAX_PARTS: 'gs://" in caplog.text


@pytest.mark.slow
def test_a_run_is_the_same_with_a_judge_of_an_earlier_one(kept, tmp_path, caplog):
    caplog.set_level(logging.INFO, "icm_jax")
    runs = [experiment.run(judged(), tmp_path / str(i), data=tiny.splits()) for i in range(2)]
    (place,) = kept.iterdir()
    assert f"classifier was taken from {place}" in caplog.text
    assert not (place / "data.json").exists()  # a run of the same data by name takes it too
    records = [(tmp_path / str(i) / "metrics.jsonl").read_bytes() for i in range(2)]
    assert records[0] == records[1]
    assert runs[0].summary["accuracy"] == runs[1].summary["accuracy"]
    for i, told in enumerate(("classifier: classification", "classifier, of an earlier run: cla")):
        assert told in (tmp_path / str(i) / "report.html").read_text()
    again = experiment.run(judged(), tmp_path / "1", "evaluate", data=tiny.splits())
    assert again.summary == runs[1].summary


def test_other_data_and_other_judges_have_places_of_their_own(kept):
    other, more = judged(), tiny.splits(train=44)
    other.classifier.hidden += 1
    find = experiment._find_place
    asked = [(judged(), tiny.splits()), (judged(), more), (other, more), (other, tiny.splits())]
    assert len({find(*each, "classifier") for each in asked}) == 4
    assert find(judged(), tiny.splits(), "generator") is None  # that it has not
