"""A classifier's own generator: trained first, kept for others, learned from."""

import json

import chex
import jax
import numpy as np
import pytest
from crashes import Crash, crashing
from ml_collections import ConfigDict
from PIL import Image
from systems.counterfactual.generation import tiny as generators
from systems.counterfactual.invariance import tiny

from icm_jax import counterfactual, default_config, experiment
from icm_jax.systems.counterfactual import biased
from icm_jax.systems.counterfactual.gan.config import recipe as recipe_of_gan
from icm_jax.systems.counterfactual.generation.config import recipe
from icm_jax.systems.counterfactual.invariance.auxiliary import digests, supply
from icm_jax.systems.counterfactual.invariance.config import generator_config, set_and_method
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.shared import TAKEN


def train(config, workdir):
    return experiment.run(config, workdir, data=generators.squares())


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="module")
def run(tmp_path_factory, parts):
    """The folder and the result of a run that trained its generator first, which is kept."""
    workdir = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICM_JAX_PARTS", str(parts))
        return workdir, train(tiny.classifier("colored,both"), workdir)


@pytest.mark.slow
def test_it_is_the_generator_that_a_run_of_its_own_trains(run, tmp_path):
    workdir, result = run
    config = tiny.classifier("colored,both", tmp_path)
    train(generator_config(config), tmp_path)
    given = train(config, workdir / "given")
    chex.assert_trees_all_equal(result.state, given.state)
    # Its folder can be used as that of the run of its own, whose pictures are of the same steps.
    draw = [counterfactual.load(of).draw(5, seed=0) for of in (workdir / "generator", tmp_path)]
    chex.assert_trees_all_equal(*draw)
    records = [(of / "metrics.jsonl").read_bytes() for of in (workdir / "generator", tmp_path)]
    assert records[0] == records[1]
    assert result.summary["accuracy"] == given.summary["accuracy"]
    sizes = [
        sum(file.stat().st_size for file in (folder / "checkpoints").rglob("*") if file.is_file())
        for folder in (workdir, workdir / "given")
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)  # nothing of the generator


def test_a_gan_is_learned_from_likewise():
    config = tiny.classifier("colored,gan")
    (system,) = experiment.build(config, generators.squares())
    gan = system.auxiliary["generator"]
    assert gan.name == "conditional_gan"
    states = {"generator": jax.eval_shape(gan.init, jax.random.key(0))}
    given = system.taught(states).given
    wanted = states["generator"].generator.parameters._asdict()
    assert jax.tree.leaves(given["generator"]) == jax.tree.leaves(wanted)
    made = supply(config, biased.make(config.data, generators.squares(), 0)).make
    images, labels = jax.eval_shape(
        lambda arrays, key: made(arrays, key, 4, None), given["generator"], jax.random.key(0)
    )
    assert images.shape == (4, 32, 32, 3) and labels.shape == (4,)


@pytest.mark.slow
def test_it_has_a_report_of_its_own_and_its_time_stands_in_that_of_the_classifier(run):
    workdir, _ = run
    summary = json.loads((workdir / "generator" / "summary.json").read_text())
    assert summary["system"] == "counterfactual" and summary["phases"]["training"]["steps"] == 4
    of_generator, of_both = (
        (folder / "report.html").read_text() for folder in (workdir / "generator", workdir)
    )
    assert "whole" in of_generator and "generator: training" not in of_generator
    assert "generator: training" in of_both


@pytest.mark.slow
def test_methods_of_a_data_set_share_it(run, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("ICM_JAX_PARTS", str(parts))
    config = tiny.classifier("colored,counterfactual")
    config.steps = 0
    train(config, tmp_path)
    (kept,) = parts.iterdir()
    assert json.loads((tmp_path / "generator" / TAKEN).read_text()) == {"place": str(kept)}


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(run, tmp_path, monkeypatch):
    config = tiny.classifier("colored,both")
    for at in (0, 1):  # after the generator's first checkpoint of two, after the classifier's
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crashing(patch, Checkpoints, "save", at, True)
            train(config, tmp_path)
    assert (tmp_path / "generator" / "summary.json").exists()
    chex.assert_trees_all_equal(train(config, tmp_path).state, run[1].state)


def test_its_recipe_is_that_of_the_data_set():
    config = default_config("invariant_classifier")
    config.update(set_and_method("wildlife,both"))
    config.seed, config.precision = 3, "bfloat16"
    config.data.textures = "somewhere"
    wanted = default_config("counterfactual")
    wanted.update(recipe("wildlife"))
    of_run = {
        **{"seed": 3, "precision": "bfloat16", "data": {"textures": "somewhere"}},
        **{"evaluation": {"every": 781}, "checkpoint": {"every": 781}},
    }
    wanted.update(of_run)
    assert generator_config(config) == wanted
    config.method = "gan"
    wanted = default_config("conditional_gan")
    wanted.update(recipe_of_gan("wildlife"))
    wanted.update(of_run)
    assert generator_config(config) == wanted
    assert config.recipe.losses.mask == 0.3 and config.gan_recipe.discriminator.kind == "conv"


def fields(made, prefix=""):
    for name, value in made.items():
        if isinstance(value, ConfigDict):
            yield from fields(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def another(value):
    if isinstance(value, tuple):
        return value[1:] or (1.0,)
    return not value if isinstance(value, bool) else value + type(value)(1)


@pytest.mark.parametrize(
    ("method", "other", "fields_of"),
    [("counterfactual", "both", "recipe."), ("gan", "both_gan", "gan_recipe.")],
)
def test_it_belongs_to_all_that_it_learns_from_and_to_nothing_else(method, other, fields_of):
    made = default_config("invariant_classifier")
    made.method = method
    shared, parted = digests(made), set()
    left = {"method", "generator", "data.textures", "recipe.losses.vgg16"}  # below
    names = {name for name, _ in fields(made)} - left
    for name, value in fields(made):
        if name in names:
            changed = made.copy_and_resolve_references()
            changed.update_from_flattened_dict({name: another(value)})
            parted |= {name} if digests(changed) != shared else set()
    depends = ("seed", "replicas", "precision", "convolution", fields_of, "data.")
    assert parted == {name for name in names if name.startswith(depends)}
    made.method = other
    assert digests(made) == shared
    made.generator = "somewhere"
    assert digests(made) == {}
    made.update({"generator": "", "method": "original"})
    assert digests(made) == {}


def test_it_belongs_to_what_is_in_files(tmp_path):
    made = default_config("invariant_classifier")
    made.update(set_and_method("wildlife,both"))
    made.data.textures, found = str(tmp_path), [digests(made)["generator"]]
    made.recipe.losses.vgg16 = str(tmp_path / "weights.npz")
    with pytest.raises(
        FileNotFoundError,
        match="^recipe.losses.vgg16: '.*' is not there, or is no file; it must be an .npz ",
    ):
        digests(made)
    for shade in (0, 100):
        Image.fromarray(np.full((4, 4, 3), shade, np.uint8)).save(tmp_path / "texture.png")
        (tmp_path / "weights.npz").write_bytes(b"weights")
        found.append(digests(made)["generator"])
    (tmp_path / "weights.npz").write_bytes(b"others")
    found.append(digests(made)["generator"])
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "digit.png").write_bytes(b"an image")
    made.data.dir = str(tmp_path / "images")
    found.append(digests(made)["generator"])
    (tmp_path / "images" / "digit.png").write_bytes(b"another")
    found.append(digests(made)["generator"])
    assert len(set(found)) == 6
