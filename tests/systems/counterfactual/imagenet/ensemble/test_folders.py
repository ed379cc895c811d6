import numpy as np
import pytest
from PIL import Image

from icm_jax.systems.counterfactual.imagenet import classes
from icm_jax.systems.counterfactual.imagenet.ensemble import folders


def save(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 6, 3), [value, 0, 9], np.uint8)).save(path)


def test_cue_conflicts_are_told_by_their_names(tmp_path):
    save(tmp_path / "cat" / "cat7-bottle2.png", 10)
    save(tmp_path / "cat" / "cat7-cat3.png", 20)
    save(tmp_path / "dog" / "dog1-car10.png", 30)
    found = folders.read_conflicts(str(tmp_path), 4, "evaluation.cue_conflict")
    names = list(classes.cue_conflict())
    assert found.images.shape == (2, 4, 4, 3) and found.images[:, 0, 0, 0].tolist() == [10, 30]
    assert [names[i] for i in found.shapes] == ["cat", "dog"]
    assert [names[i] for i in found.textures] == ["bottle", "car"]
    save(tmp_path / "cat" / "cat7.png", 10)
    message = "^evaluation.cue_conflict: 'cat/cat7.png' is not called by shape and texture, such"
    with pytest.raises(ValueError, match=message):
        folders.read_conflicts(str(tmp_path), 4, "evaluation.cue_conflict")


def test_in9_is_read_by_its_folders(tmp_path):
    save(tmp_path / "mixed_same" / "val" / "00_dog" / "a.png", 10)
    save(tmp_path / "mixed_same" / "val" / "06_musical instrument" / "b.png", 20)
    save(tmp_path / "mixed_next" / "val" / "00_dog" / "c.png", 30)
    message = "^evaluation.in9: .* has no images in a folder 'mixed_rand'$"
    with pytest.raises(ValueError, match=message):
        folders.read_in9(str(tmp_path), 4, "evaluation.in9")
    save(tmp_path / "mixed_rand" / "val" / "08_fish" / "d.png", 40)
    found = folders.read_in9(str(tmp_path), 4, "evaluation.in9")
    assert {name: labels.tolist() for name, (_, labels) in found.items()} == {
        "mixed_same": [0, 6],
        "mixed_rand": [8],
    }
    assert found["mixed_rand"][0][0, 0, 0].tolist() == [40, 0, 9]
