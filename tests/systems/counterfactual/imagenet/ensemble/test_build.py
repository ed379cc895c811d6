"""The invariant ensemble: what it learns from, which head by what, killed and resumed."""

import functools
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from crashes import Crash, crashing
from PIL import Image
from systems.counterfactual.imagenet import tiny

from icm_jax import experiment
from icm_jax.data import Dataset
from icm_jax.systems import registry
from icm_jax.systems.counterfactual.imagenet.ensemble import build, evaluation, network, steps
from icm_jax.systems.counterfactual.imagenet.generation import use
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.training.checkpoints import Checkpoints


def build_one(generator="", **fields):
    config = tiny.ensemble(generator)
    config.update_from_flattened_dict(fields)
    registry.validate(config)
    return build.build_seeds(config, tiny.images(), [0])[0]


@pytest.mark.slow
def test_a_step_is_that_of_the_losses_written_out(run):
    system = build_one(run[0])
    training = system.phases[0].step.args[0]
    state, data = tiny.first_of(system), jax.tree.map(jnp.asarray, system.given)
    key, variables = jax.random.key(3), state.learner.parameters._asdict()
    batch = steps._draw(training, data, key)
    assert any((a != b).any() for a in batch.of_mechanisms for b in batch.of_mechanisms)

    def total(params):
        def apply(images):
            of = {**variables, "params": params}
            return training.network.apply(of, network.normalize(images))

        entropy = optax.softmax_cross_entropy_with_integer_labels
        real, made = apply(batch.images), apply(batch.made)
        of_mean = entropy((real.shape + real.foreground + real.background) / 3, batch.labels)
        each = [entropy(made[i], batch.of_mechanisms[i]).mean() for i in range(3)]
        return of_mean.mean() + sum(each)

    @jax.jit
    def both(state):
        return jax.value_and_grad(total)(variables["params"]), steps.step(
            training, state, data, key
        )

    (value, gradient), (after, metrics) = jax.device_get(both(state))
    # The first step of SGD: the rate times the gradient, with 1e-4 of the weights.
    wanted = jax.tree.map(lambda p, g: p - 1e-2 * (g + 1e-4 * p), variables["params"], gradient)
    chex.assert_trees_all_close(after.learner.parameters.params, wanted, rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_equal(after.learner.parameters.batch_stats, variables["batch_stats"])
    losses = [float(metrics[name].total) / 2 for name in ("loss", "counterfactual_loss")]
    assert sum(losses) == pytest.approx(float(value), rel=1e-5)


def test_counterfactuals_are_those_of_the_generator(run):
    system = build_one(run[0])
    supply = system.phases[0].step.args[0].supply
    images, labels = supply.make(supply.arrays, jax.random.key(1), 12, None)
    assert images.shape == (12, 64, 64, 3)  # made in two parts
    generator = use.load(run[0])
    noise_key, _ = jax.random.split(jax.random.key(1))
    noise = jax.random.truncated_normal(noise_key, -2.0, 2.0, (12, 3))
    made = generator.generate(noise[:2], *(label[:2] for label in labels))
    np.testing.assert_allclose(images[:2], made["images"], atol=1e-5)


def test_the_rate_is_a_tenth_after_each_third():
    config = tiny.ensemble()
    config.steps, config.optimizer.momentum, config.optimizer.weight_decay = 6, 0.0, 0.0
    optimizer, params = steps.make_optimizer(config), jnp.float32(1)
    state, rates = optimizer.init(params), []
    for _ in range(6):
        update, state = optimizer.update(jnp.float32(1), state, params)
        rates.append(-float(update))
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4], rtol=1e-5)


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(tmp_path, run):
    config = tiny.ensemble(run[0])
    whole = experiment.run(config, tmp_path / "whole", data=tiny.images())
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        crashing(patch, Checkpoints, "save", 0, True)
        experiment.run(config, tmp_path / "killed", data=tiny.images())
    resumed = experiment.run(config, tmp_path / "killed", data=tiny.images())
    chex.assert_trees_all_equal(resumed.state, whole.state)
    files = [tmp_path / name / "metrics.jsonl" for name in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "Top-1" in (tmp_path / "whole" / "report.html").read_text()


@pytest.mark.slow
def test_an_ensemble_without_a_generator_trains_one_first(tmp_path):
    result = experiment.run(tiny.ensemble(), tmp_path, data=tiny.images())
    assert result.summary["counterfactuals"] == 6 and 0 <= result.summary["shape_top_1"] <= 1
    learned = json.loads((tmp_path / "generator" / "summary.json").read_text())
    assert learned["phases"]["training"]["steps"] == 4


def save(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((16, 16, 3), [value, 0, 9], np.uint8)).save(path)


def say_by_pixel(table, colors, variables, images):
    """Logits by the first pixel of an image: its class for shape and foreground, no background."""
    mean, deviation = (of[0] for of in colors)
    pixel = jnp.round((images[:, 0, 0, 0] * deviation + mean) * 255).astype(int)
    said = jax.nn.one_hot(jnp.asarray(table)[pixel], 1000) * 20
    return Each(said, said, -3 * said)


def test_an_evaluation_by_predictions_with_a_known_answer(run, tmp_path):
    system = build_one(run[0], **{"data.crop": 16})
    config = system.evaluate.config.copy_and_resolve_references()
    # Pixels 10 and 20 are called tabby (cat), 30 Maltese dog, 40 no class of IN-9's.
    table = np.full(256, 999)
    table[[10, 20, 30, 40]] = 281, 281, 153, 440
    save(tmp_path / "cue" / "cat1-dog1.png", 10)  # by shape
    save(tmp_path / "cue" / "bear1-cat1.png", 20)  # by texture
    save(tmp_path / "cue" / "dog1-cat3.png", 30)  # by shape
    save(tmp_path / "cue" / "dog1-dog3.png", 20)  # left out
    config.evaluation.cue_conflict = str(tmp_path / "cue")
    test = Dataset(np.full((4, 16, 16, 3), 10, np.uint8), np.array([281, 281, 281, 9], np.int32))
    say = functools.partial(say_by_pixel, table, network.IMAGENET)
    judged = system.evaluate._replace(config=config, apply=say, test=test)
    found = judged(tiny.first_of(system), {}, True).summary
    # The mean of the heads is lowest for what two of them say: of the others the first come first.
    assert found["top_1"] == 0 and found["top_5"] == 0
    assert found["shape_bias"]["shape"] == pytest.approx(2 / 3)
    story = evaluation.tell(found)
    assert story.rows[0][0] == "shape" and story.rows[0][2] == "66.7"
    assert found["in9"] is None
    # A cat is of no class of IN-9's, the dog is: one of two right, and none.
    save(tmp_path / "in9" / "mixed_same" / "val" / "00_dog" / "a.png", 30)
    save(tmp_path / "in9" / "mixed_same" / "val" / "00_dog" / "b.png", 10)
    save(tmp_path / "in9" / "mixed_rand" / "val" / "00_dog" / "c.png", 40)
    config.evaluation.in9 = str(tmp_path / "in9")
    say = functools.partial(say_by_pixel, table, network.IN9)
    judged = system.evaluate._replace(config=config, apply=say, test=test)
    in9 = judged._in9(None)
    assert in9 == {"mixed_same": 0.5, "mixed_rand": 0.0, "gap": 0.5}


def test_what_does_not_go_together_is_refused(run):
    message = "^evaluation.in9: 'x' is not allowed with 10 classes; it needs the 1000 of ImageNet"
    with pytest.raises(ValueError, match=message):
        build_one(run[0], **{"evaluation.in9": "x"})
    with pytest.raises(ValueError, match="^data.crop: 40 is not allowed with data.size 16; it mus"):
        build_one(**{"data.crop": 40})
    with pytest.raises(ValueError, match=r"^recipe.losses.texture: \(1.0,\) is not allowed; it mu"):
        build_one(**{"recipe.losses.texture": (1.0,)})
    few = tiny.images()
    few = few._replace(**{k: v.take(v.labels < 4) for k, v in few._asdict().items()})
    with pytest.raises(ValueError, match="makes 10 classes, the data have 4; choose one"):
        build.build_seeds(tiny.ensemble(run[0]), few, [0])
