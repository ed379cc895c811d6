"""A finished generator on ImageNet in use: labels, truncation, ways from class to class."""

import functools

import chex
import jax
import numpy as np
import pytest
from commands import launched
from PIL import Image
from systems.counterfactual.imagenet import tiny

from icm_jax.systems.counterfactual import outputs, style
from icm_jax.systems.counterfactual.imagenet.generation import use
from icm_jax.systems.counterfactual.imagenet.mechanisms import draw_noise, make
from icm_jax.systems.counterfactual.networks.mechanisms import Each


@pytest.fixture
def generator(run):
    return use.load(run[0])


def test_a_finished_generator_draws_what_its_labels_say(run, generator):
    chex.assert_trees_all_equal(generator.params, run[1].state.params)
    drawn = generator.draw(6, seed=3, labels=(7, None, 2))
    assert drawn["images"].shape == (6, 64, 64, 3) and drawn["images"].dtype == np.uint8
    assert set(drawn["shape"]) == {7} and set(drawn["background"]) == {2}
    noise_key, label_key = jax.random.split(jax.random.fold_in(jax.random.key(3), 4))
    noise = draw_noise(noise_key, 4, 3, 1.0)
    foreground = jax.random.randint(label_key, (3, 4), 0, 10)[1]
    labels = Each(np.full(4, 7), foreground, np.full(4, 2))
    made = make(generator.networks, generator.frozen, generator.params, noise, labels, 1.0)
    wanted = np.round((np.asarray(made.images) + 1) * 127.5)[:2]
    assert np.abs(drawn["images"][4:] - wanted).max() <= 1
    few = generator.draw(3, seed=3, labels=(7, None, 2))
    chex.assert_trees_all_equal(few, jax.tree.map(lambda x: x[:3], drawn))


def test_truncation_changes_noise_and_statistics(generator):
    noise = np.ones((1, 3), np.float32)
    whole, half = (generator.generate(noise, [1], [1], [1], t)["images"] for t in (None, 0.5))
    assert np.abs(np.asarray(whole) - np.asarray(half)).max() > 1e-3
    key = jax.random.key(0)
    drawn = draw_noise(key, 1000, 3, 0.5)
    chex.assert_trees_all_close(drawn, 0.5 * draw_noise(key, 1000, 3, 1.0))
    assert 0.9 < np.abs(drawn).max() <= 1
    with pytest.raises(ValueError, match="^truncation: 0.0 is not allowed; it must be above 0"):
        generator.draw(1, truncation=0.0)


def test_a_way_is_one_of_labels_in_one_mechanism(generator):
    way = generator.interpolate("foreground", 2, 5, frames=3, seed=1)
    noise = draw_noise(jax.random.key(1), 1, 3, 1.0)
    half = np.eye(10, dtype=np.float32)[[2, 5]].mean(0, keepdims=True)
    still = np.eye(10, dtype=np.float32)[[2]]
    made = generator.generate(noise, still, half, still)["images"]
    assert np.abs(way[1] - np.round((np.asarray(made)[0] + 1) * 127.5)).max() <= 1
    same = generator.generate(noise, [2], [2], [2])["images"]
    assert np.abs(way[0] - np.round((np.asarray(same)[0] + 1) * 127.5)).max() <= 1
    with pytest.raises(ValueError, match="^mechanism: 'texture' is not allowed; it must be one of"):
        generator.interpolate("texture", 0, 1)
    with pytest.raises(ValueError, match="^end: 10 is not allowed; it must be a label, 0 to 9"):
        generator.interpolate("shape", 0, 10)
    with pytest.raises(ValueError, match="^truncation: 7.0 is not allowed; it must be above 0"):
        generator.interpolate("shape", 0, 1, truncation=7.0)
    with pytest.raises(ValueError, match="^frames: 1 is not allowed; it must be at least 2"):
        generator.interpolate("shape", 0, 1, frames=1)


def test_launch_generates_what_is_asked_for(run, generator, tmp_path, capsys):
    flags = {"mode": "generate", "workdir": run[0], "output": tmp_path / "made"}
    asked = {"labels": "7,any,2", "count": 3, "seed": 3, "truncation": 0.5}
    file = tmp_path / "made" / "counterfactuals.npz"
    status, out, _ = launched(capsys, **flags, **asked)
    assert (status, out) == (0, f"3 images generated\n{file}\n")
    with np.load(file) as arrays:
        chex.assert_trees_all_equal(dict(arrays), generator.draw(3, 3, (7, None, 2), 0.5))
    with Image.open(tmp_path / "made" / "interpolations.png") as sheet:
        rows = np.asarray(sheet)
    assert rows.shape == (3 * 64, 8 * 64, 3)
    np.testing.assert_array_equal(
        rows[64:128, :64],
        generator.interpolate("foreground", 7, 8, seed=3, truncation=0.5)[0],
    )
    assert (rows[64:128, :64] != generator.interpolate("foreground", 7, 8, seed=3)[0]).any()
    status, _, err = launched(capsys, **flags, truncation=2)
    assert status == 1 and "error: --truncation: 2.0 is not allowed; it must be above 0" in err


def test_launch_stylizes_an_image(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(style.vgg16, "load", lambda *arguments: tiny.vgg_weights())
    monkeypatch.setattr(outputs, "stylize", functools.partial(style.stylize, steps=1))
    Image.fromarray(np.full((16, 20, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    flags = {"mode": "stylize", "workdir": run[0], "output": tmp_path / "made", "seed": 3}
    status, out, _ = launched(capsys, **flags, input=tmp_path / "photo.png")
    assert (status, out) == (0, f"one image stylized 10 times\n{tmp_path}/made/stylized.png\n")
    with Image.open(tmp_path / "made" / "stylized.png") as sheet:
        assert sheet.size == (20 * 11, 16)
