"""A finished generator in use: labels chosen or drawn, a walk, data sets and a file of it."""

import functools
import re
import types
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from commands import launched
from PIL import Image
from systems.counterfactual.generation import tiny

from icm_jax import counterfactual
from icm_jax.systems.counterfactual import outputs, style
from icm_jax.systems.counterfactual.generate import generate
from icm_jax.systems.counterfactual.generation import modes, use
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.counterfactual.outputs import parse_labels


@pytest.fixture(scope="module")
def generator(run):
    return use.load(run[0])


def made(generator, noise, labels, seed):
    """Counterfactuals by the function that training's networks are given to."""
    key = jax.random.key(seed)
    return generate(generator.mechanisms, generator.variables, noise, labels, key)._asdict()


def pixels(images):
    return np.round((np.clip(images, -1, 1) + 1) * 127.5)


def test_a_finished_generator_draws_what_its_labels_say(run, generator):
    chex.assert_trees_all_equal(generator.variables, run[1].state.average)
    drawn = generator.draw(5, seed=3, labels=(7, None, 2))
    assert drawn["images"].shape == (5, 32, 32, 3) and drawn["images"].dtype == np.uint8
    assert set(drawn["shape"]) == {7} and set(drawn["background"]) == {2}
    assert len(set(drawn["foreground"])) > 1
    chex.assert_trees_all_equal(drawn, generator.draw(5, seed=3, labels=(7, None, 2)))
    assert (generator.draw(5, seed=4)["images"] != drawn["images"]).any()


def test_images_of_a_draw_are_those_of_its_noise_and_labels(generator, monkeypatch):
    monkeypatch.setattr(use, "_CHUNK", 4)
    use._draw_chunk.clear_cache()
    drawn = generator.draw(6, seed=1, labels=(3, None, 0))
    use._draw_chunk.clear_cache()
    for start, count in ((0, 4), (4, 2)):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(1), start), 3)
        noise = Each(*jax.random.normal(keys[0], (3, 4, 3)))
        foreground = jax.random.randint(keys[1], (3, 4), 0, 10)[1]
        labels = Each(np.full(4, 3), foreground, np.zeros(4, int))
        key = keys[2]
        of = generate(generator.mechanisms, generator.variables, noise, labels, key).images
        part = slice(start, start + count)
        np.testing.assert_array_equal(drawn["foreground"][part], foreground[:count])
        assert np.abs(drawn["images"][part] - pixels(of)[:count]).max() <= 1


def test_a_smaller_count_draws_the_first_of_a_larger(generator):
    few, many = (generator.draw(count, seed=5) for count in (3, 102))
    chex.assert_trees_all_equal(few, {name: array[:3] for name, array in many.items()})
    assert (many["images"][0] != many["images"][100]).any()


def test_a_walk_is_a_circle_of_one_mechanism(generator):
    walk = generator.walk("shape", label=3, frames=4, seed=1)
    start, other = np.asarray(jax.random.normal(jax.random.key(1), (2, 3)))
    points = (start, other, -start, -other)  # at 0, 90, 180 and 270 degrees
    for frame, point in zip(walk, points, strict=True):
        noise = Each(point[None], start[None], start[None])
        labels = Each(*[np.int32([3])] * 3)
        images = made(generator, noise, labels, 1)["images"][0]
        assert np.abs(frame.astype(int) - pixels(images)).max() <= 1


def test_a_walk_of_what_is_not_there_is_refused(generator):
    with pytest.raises(ValueError, match="^mechanism: 'mask' is not allowed; it must be one of sh"):
        generator.walk("mask", label=3)
    with pytest.raises(ValueError, match="^label: 10 is not allowed; it must be a label, 0 to 9"):
        generator.walk("shape", label=10)


def test_noise_may_be_one_for_all_mechanisms_or_each_its_own(generator):
    noise = np.random.RandomState(0).normal(size=(4, 3, 3)).astype(np.float32)
    labels = Each(*np.int32([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]))
    ours = generator.generate(noise, *labels, seed=2)
    wanted = made(generator, Each(*noise.swapaxes(0, 1)), labels, 2)
    chex.assert_trees_all_close(ours, wanted, atol=1e-5)
    ours, wanted = (generator.generate(of, *labels) for of in (noise[:, 0], noise[:, [0, 0, 0]]))
    chex.assert_trees_all_equal(ours, wanted)
    assert ours["mask"].shape == (4, 32, 32, 1) and ours["foreground"].shape == (4, 32, 32, 3)


def documented(word):
    """The Python code of docs/counterfactual.md with a word."""
    page = (Path(__file__).parents[4] / "docs/counterfactual.md").read_text()
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.S) if word in code]
    return code


def test_an_exported_generator_says_the_same(run, generator, tmp_path, capsys, monkeypatch):
    flags = {"mode": "export", "workdir": run[0], "output": tmp_path / "generator.jax"}
    assert launched(capsys, **flags) == (0, f"{tmp_path / 'generator.jax'}\n", "")
    exported = jax.export.deserialize((tmp_path / "generator.jax").read_bytes())
    assert exported.platforms == ("cpu", "cuda")
    said = ["float32[b,3,3]", "int32[b]", "int32[b]", "int32[b]", "uint32[]"]
    assert [str(of) for of in exported.in_avals] == said
    for count, seed in ((1, 0), (4, 9)):
        noise = np.random.RandomState(seed).normal(size=(count, 3, 3)).astype(np.float32)
        labels = np.random.RandomState(seed).randint(0, 10, (3, count), np.int32)
        found = exported.call(noise, *labels, np.uint32(seed))
        chex.assert_trees_all_close(found, generator.generate(noise, *labels, seed), atol=1e-5)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(documented("export").replace("(2, 3, 32)", "(2, 3, 3)"), names)
    chex.assert_trees_all_close(names["generate"](noise, *labels, np.uint32(seed)), found)


def test_launch_generates_what_is_asked_for(run, generator, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(modes, "_FRAMES", 2)
    flags = {"mode": "generate", "workdir": run[0], "output": tmp_path / "made"}
    asked = {"labels": "7,any,2", "count": 12, "seed": 3}
    file = tmp_path / "made" / "counterfactuals.npz"
    said = f"12 images generated\n{file}\n"
    assert launched(capsys, **flags, **asked) == (0, said, "")
    wanted = generator.draw(12, 3, (7, None, 2))
    with np.load(file) as arrays:
        chex.assert_trees_all_equal(dict(arrays), wanted)
    with Image.open(tmp_path / "made" / "counterfactuals.png") as sheet:
        rows = np.asarray(sheet)
    assert rows.shape == (64, 320, 3) and (rows[32:, 64:] == 255).all()
    np.testing.assert_array_equal(rows[32:, 32:64], wanted["images"][11])
    with Image.open(tmp_path / "made" / "walk_shape.gif") as walk:
        assert walk.size == (320, 32) and walk.n_frames > 1


def test_launch_stylizes_an_image(run, generator, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(style.vgg16, "load", lambda *arguments: tiny.vgg_weights())
    monkeypatch.setattr(outputs, "stylize", functools.partial(style.stylize, steps=2))
    image = np.random.RandomState(0).randint(0, 256, (40, 20, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    flags = {"mode": "stylize", "workdir": run[0], "output": tmp_path / "made", "seed": 3}
    said = f"one image stylized 10 times\n{tmp_path / 'made' / 'stylized.png'}\n"
    assert launched(capsys, **flags, input=tmp_path / "photo.png")[:2] == (0, said)
    noise = jax.random.normal(jax.random.key(3), (10, 3))
    made = generator.generate(noise, *[np.arange(10)] * 3, seed=3)["foreground"]
    texture = (np.asarray(made[7]) + 1) / 2
    with Image.open(tmp_path / "made" / "stylized_7.png") as file:
        stylized = np.asarray(file)
    pixels_of = np.round(texture * 255).astype(np.uint8)
    wanted = counterfactual.stylize(image, pixels_of, steps=2)
    assert np.abs(stylized.astype(int) - wanted).mean() < 1
    with Image.open(tmp_path / "made" / "stylized.png") as sheet:
        assert sheet.size == (20 * 11, 40)
    np.savez(tmp_path / "two.npz", images=np.stack([image] * 2))
    status, _, err = launched(capsys, **flags, input=tmp_path / "two.npz")
    assert status == 1 and "shape (2, 40, 20, 3) is not allowed; one image is needed" in err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            {"labels": "7,x,2"},
            "--labels: '7,x,2' is not allowed; it must be three, of shape, foreground and "
            "background, each 0 to 9 or any, such as 1,any,0",
        ),
        ({"labels": "7"}, "--labels: '7' is not allowed; it must be three, of shape, foreground a"),
        ({"count": 0}, "--count: 0 is not allowed; it must be at least 1"),
        ({"seed": -1}, "--seed: -1 is not allowed; it must be 0 to 4294967295"),
        ({"mode": "export", "count": 2}, "--count: --mode=export takes none; leave it out, or cho"),
    ],
)
def test_what_cannot_be_generated_is_said(flag, message, run, tmp_path, capsys):
    flags = {"mode": "generate", "workdir": run[0], "output": tmp_path / "made", **flag}
    status, out, err = launched(capsys, **flags)
    assert (status, out) == (1, "") and err.startswith(f"error: {message}")
    assert err.count("\n") == 1 and not (tmp_path / "made").exists()


def test_labels_that_there_are_not_are_refused(generator):
    with pytest.raises(ValueError, match="^foreground: 10 is not allowed; it must be a label, 0"):
        generator.draw(1, labels=(None, 10, None))
    with pytest.raises(ValueError, match="^shape: -1 is not allowed; it must be a label, 0 to 9"):
        generator.generate(np.zeros((1, 3)), [-1], [0], [0])
    with pytest.raises(ValueError, match="^count: 0 is not allowed; it must be at least 1"):
        generator.draw(0)
    assert counterfactual.load is use.load


def test_labels_are_numbers_or_the_names_of_folders():
    names = ("cat", "dog", "7")
    assert parse_labels("dog, any,1", 3, names) == (1, None, 1)
    assert parse_labels("0,cat,2", 3, names) == (0, 0, 2)
    # A folder of that name is meant, whatever its number.
    assert parse_labels("1,3,0", 3, ("1", "2", "3")) == (0, 2, 0)
    assert parse_labels('any,"a, b",c', 3, ("any", "a, b", "c")) == (0, 1, 2)
    with pytest.raises(ValueError, match="each 0 to 2, cat, dog, 7 or any, such as 1,any,0$"):
        parse_labels("cow,any,any", 3, names)


def test_a_generator_of_other_classes_does_not_suit():
    data = types.SimpleNamespace(classes=2, size=32, names=("cat", "dog"))
    use.check_suits("runs/a", 2, 32, data, ("cat", "dog"))
    use.check_suits("runs/a", 2, 32, data)  # published ones say nothing
    with pytest.raises(ValueError, match="makes 1, 2 as classes, the data have cat, dog; choose"):
        use.check_suits("runs/a", 2, 32, data, ("1", "2"))
