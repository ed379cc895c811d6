import json
import shutil

import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import data, parts
from icm_jax.systems.icm.build import build_competition
from icm_jax.systems.icm.examinations import EXAMINATIONS, few


def test_transformed_images_are_few_and_of_originals_of_their_own():
    config, splits = tiny.icm(), tiny.splits()
    config.batch_size = 6
    of, made = few.with_few(config, splits, 3)
    assert of.data.groups.transformed == ("translate_right", "invert")
    names = made.train.attributes["mechanism"]
    assert {name: (names == name).sum() for name in np.unique(names)} == {
        "canonical": 20,
        "invert": 3,
        "translate_right": 3,
    }
    originals = {image.tobytes() for image in splits.train.images}
    canonical = {image.tobytes() for image in made.train.images[names == "canonical"]}
    inverted = {(255 - image).tobytes() for image in made.train.images[names == "invert"]}
    assert canonical < originals and inverted < originals - canonical
    shifted = made.train.images[names == "translate_right"]
    assert not shifted[:, :, :4].any()
    (system,) = build_competition(of, made, [0])
    assert system.data["transformed"].count.tolist() == [3, 3]
    assert config.data.groups.attribute == ""
    with pytest.raises(ValueError, match="counts: 11 is not allowed; there are 20 originals"):
        few.with_few(config, splits, 11)


def test_labels_and_losers_are_those_that_so_few_images_leave_room_for():
    config, splits = tiny.icm(), tiny.splits()
    # The first test images, of which some would be shown, are of another label.
    there = np.arange(len(splits.test.labels)) >= 2 * len(config.mechanisms)
    splits = splits._replace(test=splits.test._replace(labels=there.astype(np.int32)))
    config.data.labels, config.batch_size, config.discriminator.losers = (1,), 8, 4
    of, made = few.with_few(config, splits, 3)
    assert (of.batch_size, of.discriminator.losers) == (6, 0)
    (system,) = build_competition(of, made, [0])
    assert len(system.phases) == 2


def test_few_images_are_padded_before_they_are_transformed():
    config, splits = tiny.icm(), tiny.splits()
    side = splits.train.images.shape[1] + 4
    config.data.pad, config.batch_size = side, 16
    of, made = few.with_few(config, splits, 3)
    assert (of.data.pad, of.batch_size) == (0, 6)
    assert made.train.images.shape[1:3] == made.test.images.shape[1:3] == (side, side)
    inverted = made.train.images[made.train.attributes["mechanism"] == "invert"]
    assert (inverted[:, 0] == 255).all()


def test_a_finished_run_is_examined(folder_run):
    workdir, _ = folder_run
    settings = few.SETTINGS.defaults()
    settings.images, settings.counts, settings.new = 4, (), (8,)
    settings.steps = settings.new_steps = 0
    settings.mechanism = ("haze",)
    found = few.examine(workdir, settings)
    (new,) = found["new"]
    assert new["count"] == 8 and found["few"] == []
    assert all(0 <= value <= 1 for value in (new["expert"], new["oracle"], *new["kept"]))


def test_a_run_of_other_data_than_its_config_names_is_not_examined(folder_run, tmp_path):
    workdir, config = folder_run
    shutil.copytree(workdir, tmp_path / "run")
    settings = few.SETTINGS.defaults()
    settings.kind, settings.counts, settings.new = "few", (), ()
    examine = EXAMINATIONS["few"].examine
    own = parts.digest_of(data.load(config.data))
    for digest in (own, f"{own}+0123"):  # given, but no others; and begun with other experts
        (tmp_path / "run" / "data.json").write_text(json.dumps({"digest": digest}))
        assert examine(tmp_path / "run", settings)["few"] == []
    (tmp_path / "run" / "data.json").write_text(json.dumps({"digest": "0123"}))
    with pytest.raises(ValueError, match="was given its data, which are not those that its config"):
        examine(tmp_path / "run", settings)


def test_means_are_over_mechanisms_and_seeds():
    def run(a, b):
        experts = {"accuracy": [a, b], "identified": 1}
        row = {"count": 30, "experts": experts, "oracle": {"accuracy": [1, 1], "identified": 2}}
        new = {"count": 10, "expert": a, "oracle": b, "nobody": 0.0, "kept": [0.9, 0.8]}
        return {"seed": 0, "mechanisms": ["a", "b"], "few": [row], "new": [new]}

    numbers = few.numbers(run(0.5, 0.7))
    assert numbers["accuracy 30 each, experts"] == pytest.approx(0.6)
    assert numbers["accuracy 10 of a new one, oracle"] == 0.7
    few.figures([run(0.5, 0.7)])["few"].canvas.draw()
    tables = few.tables([run(0.5, 0.7), run(0.7, 0.9)])
    assert tables["few"][1][0] == ["30", *map(pytest.approx, (0.7, 1.0, 1.0))]
    assert tables["new"][1][0] == ["10", *map(pytest.approx, (0, 0.6, 0.8, 0.9, 0.8))]
