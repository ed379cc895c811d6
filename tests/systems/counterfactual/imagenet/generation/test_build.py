"""The generator on ImageNet: its losses, who learns by which, killed and resumed."""

import hashlib
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from crashes import Crash, crashing
from devices import step_on_devices
from systems.counterfactual.imagenet import tiny

from icm_jax import experiment
from icm_jax.systems import registry
from icm_jax.systems.counterfactual.imagenet import frozen as frozen_networks
from icm_jax.systems.counterfactual.imagenet.collage import Collage, make_collages
from icm_jax.systems.counterfactual.imagenet.generation import build, steps
from icm_jax.systems.counterfactual.imagenet.generation.state import make_optimizers
from icm_jax.systems.counterfactual.imagenet.mechanisms import Made, make
from icm_jax.systems.counterfactual.losses import gram_distance
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.training.checkpoints import Checkpoints

WITHOUT = {
    "losses.reconstruction": 0.0,
    "losses.entropy": 0.0,
    "losses.size": 0.0,
    "losses.background": 0.0,
}


def build_one(axis_name=None, **fields):
    config = tiny.generator()
    config.update_from_flattened_dict(fields)
    registry.validate(config)
    return build.build_seeds(config, {}, [config.seed], axis_name)[0]


def training_of(system):
    return system.phases[0].step.args[0]


def test_each_loss_by_hand(monkeypatch):
    """Two images of constant parts, whose losses are a few products; textures by their functions.

    With masks .05 and .95, foregrounds .8 and backgrounds -.4, images are .05 * .8 - .95 * .4 =
    -.34 and .95 * .8 - .05 * .4 = .74; the frozen BigGAN has .06 everywhere.
    """
    monkeypatch.setattr(frozen_networks.vgg16, "load", lambda *of: tiny.vgg_weights())
    textures = {"losses.perceptual": (4.0, 4.0, 0.0, 0.0), "losses.texture": (0.0, 5.0, 5.0, 0.0)}
    system = build_one(**textures)
    training, data = training_of(system), jax.tree.map(jnp.asarray, system.given)

    def constant(values, channels=3):
        return jnp.broadcast_to(jnp.array(values)[:, None, None, None], (2, 16, 16, channels))

    mask, real = constant([0.05, 0.95], 1), constant([0.06, 0.06])
    foreground, background = constant([0.8, 0.8]), constant([-0.4, -0.4])
    images = constant([-0.34, 0.74])
    made, key = Made(images, mask, foreground, background, images), jax.random.key(0)
    # Of the mask in backgrounds: a sigmoid of weight w on each colour and bias b.
    only = data["u2net"]["params"]["only"]
    seen = 1 / (1 + np.exp(0.4 * float(only["kernel"].sum()) - float(only["bias"][0])))

    @jax.jit  # of constants, XLA would compute at length while it compiles
    def both(data, made, real):
        def distance(images, targets, weights):
            features = (vgg.features(data["vgg"], of, len(weights)) for of in (images, targets))
            return gram_distance(*features, weights).sum()

        collages = make_collages(real, made.mask, key, Collage(**training.config.collage))
        perceptual = distance(made.images, real, (4, 4))
        wanted = perceptual, distance(made.foreground, collages, (0, 5, 5))
        return steps.weighted_losses(training, data, made, real, key), wanted

    terms, (perceptual, texture) = jax.device_get(both(data, made, real))
    entropy = -(0.05 * np.log2(0.05) + 0.95 * np.log2(0.95))
    wanted = {
        "reconstruction": 100 * (0.40 + 0.68),
        "mask_entropy": 300 * 2 * entropy,
        "mask_size": 500 * (0.05 + 0.05),
        "background": 2000 * 2 * seen,
        "perceptual": perceptual,
        "texture": texture,
    }
    assert terms.keys() == wanted.keys() and perceptual > 0 and texture > 0
    for name, value in wanted.items():
        assert terms[name] == pytest.approx(value, rel=1e-4), name


TEACHES = [
    ({"losses.entropy": 1.0}, {"shape"}),
    ({"losses.size": 1.0, "losses.most": 0.2}, {"shape"}),
    ({"losses.background": 1.0}, {"background"}),
    ({"losses.texture": (0.0, 5.0, 0.0, 0.0)}, {"foreground"}),
    ({"losses.reconstruction": 1.0}, {"shape", "foreground", "background"}),
]


def test_a_loss_teaches_the_mechanism_that_it_should_and_no_other(monkeypatch):
    monkeypatch.setattr(frozen_networks.vgg16, "load", lambda *of: tiny.vgg_weights())
    systems = [build_one(**{**WITHOUT, **losses}) for losses, _ in TEACHES]
    params, textured = tiny.first_of(systems[0]).params, systems[3]
    # Mechanisms begin as the frozen BigGAN, where all of an image comes to the same and no mask
    # counts: here they are others.
    params = Each(*(jax.tree.map(lambda x, n=n: x + 0.1 * n, of) for n, of in enumerate(params)))
    noise, labels = jnp.ones((2, 3)), jnp.array([1, 2])
    batch = steps.Batch(noise, labels, jnp.zeros((2, 64, 64, 3)))

    @jax.jit
    def gradients(params, data, batch):
        return [
            jax.grad(steps.mean_loss, has_aux=True)(
                params, training_of(system), data, batch, jax.random.key(0)
            )[0]
            for system in systems
        ]

    for (losses, learning), found in zip(
        TEACHES, gradients(params, textured.given, batch), strict=True
    ):
        largest = {
            name: max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(of))
            for name, of in found._asdict().items()
        }
        assert {name for name, of in largest.items() if of > 0} == learning, losses


def test_mechanisms_begin_as_the_frozen_biggan_and_it_does_not_move(run):
    system = build_one()
    (state, frozen), (_, result) = (tiny.first_of(system), system.given), run
    for params in state.params:
        chex.assert_trees_all_equal(params, frozen["biggan"]["params"])
    noise = np.random.RandomState(0).normal(size=(2, 3)).astype(np.float32)
    labels = Each(*[np.array([1, 2])] * 3)
    networks = training_of(system).networks
    made = make(networks, frozen, state.params, noise, labels, 1.0)
    chex.assert_trees_all_close(made.foreground, made.background)
    np.testing.assert_allclose(made.images, made.foreground, atol=1e-6)
    # Before the first update they make what it makes, of the same noise.
    records = map(json.loads, (run[0] / "metrics.jsonl").read_text().splitlines())
    errors = [record["reconstruction"] for record in records if "reconstruction" in record]
    np.testing.assert_allclose(errors[:2], 0, atol=1e-4)
    assert errors[2] > 0.1
    # What is saved has no frozen network in it, only its digest.
    saved = sum(np.size(leaf) for leaf in jax.tree.leaves(result.state))
    trained = sum(np.size(leaf) for leaf in jax.tree.leaves(state.params))
    assert saved < 4 * trained + 2 * 32 + 30
    assert {name: of.shape for name, of in result.state.frozen.items()} == {
        "biggan": (32,),
        "u2net": (32,),
    }
    assert result.summary["frozen"]["biggan"] == "random from seed: 0"
    chex.assert_trees_all_equal(system.given["biggan"], build_one().given["biggan"])


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_gradients_of_several_steps_make_one_update(reduction):
    config = tiny.generator()
    config.optimizer.accumulate, config.optimizer.reduction = 3, reduction
    optimizer = make_optimizers(config).shape
    gradients = [jnp.float32(g) * 1e-8 for g in (1.0, -4.0, 9.0)]  # Adam's 1e-8 shows the sum
    state, params, moved = optimizer.init(jnp.float32(0)), jnp.float32(0), []
    for gradient in gradients:
        update, state = optimizer.update(gradient, state, params)
        moved.append(float(update))
    total = 6e-8 if reduction == "sum" else 2e-8
    plain = optax.adam(config.optimizer.shape)
    wanted, _ = plain.update(jnp.float32(total), plain.init(jnp.float32(0)))
    assert moved[:2] == [0, 0] and moved[2] == pytest.approx(float(wanted), rel=1e-5)


def test_two_devices_learn_what_one_does():
    one, two = (build_one(axis, **{"optimizer.accumulate": 1}) for axis in (None, "devices"))
    first, data = tiny.first_of(one), jax.tree.map(jnp.asarray, one.given)
    steps_of = one.phases[0].step, two.phases[0].step
    (alone, metrics), each = step_on_devices(*steps_of, first, data, jax.random.key(1))
    chex.assert_trees_all_equal(*each)
    chex.assert_trees_all_close(each[0][1], metrics, rtol=1e-4, atol=1e-5)
    moments = [
        optax.tree_utils.tree_get(of.mechanisms.shape.opt_state, "mu") for of in (alone, each[0][0])
    ]
    chex.assert_trees_all_close(*moments, rtol=1e-3, atol=1e-5)


def test_a_killed_run_goes_on_bit_for_bit(tmp_path, run):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        crashing(patch, Checkpoints, "save", 0, True)
        experiment.run(tiny.generator(), tmp_path)
    resumed = experiment.run(tiny.generator(), tmp_path)
    workdir, result = run
    chex.assert_trees_all_equal(resumed.state, result.state)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (workdir / "metrics.jsonl").read_bytes()
    report = (workdir / "report.html").read_text()
    assert "random from seed: 0" in report and "neither too small nor too large" in report


def test_a_run_does_not_go_on_with_another_frozen_network():
    system = build_one()
    other = build_one(**{"weights.seed": 1})
    message = "^weights.biggan: random from seed: 1 is not what this run began with; bring that fi"
    with pytest.raises(ValueError, match=message):
        other.evaluate(tiny.first_of(system), {}, False)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("losses.texture", (1.0,), r"losses.texture: \(1.0,\) is not allowed; it must be 4 weigh"),
        ("model.truncation", 0.0, "model.truncation: 0 is not allowed; it must be above 0"),
        ("steps", 3, "steps: 3 is not allowed with optimizer.accumulate 2; it must be a multiple"),
        ("losses.least", 0.95, "losses.least: 0.95 is not allowed with losses.most 0.9; it must"),
        ("collage.best", 20_000, "collage.best: 20000 is not allowed with collage.patch 15 and c"),
        ("evaluation.classes", (10,), r"evaluation.classes: \(10,\) is not allowed; .* 0 to 9 wi"),
        ("model.resolution", 32, "model.resolution: 32 is not allowed; it must be one of 64, "),
    ],
)
def test_what_does_not_go_together_is_refused(field, value, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        build_one(**{field: value})


def test_a_frozen_network_of_a_file_is_named_by_its_digest(tmp_path, monkeypatch):
    file, wanted = tmp_path / "biggan.bin", tiny.first_of(build_one()).params.shape
    file.write_bytes(b"weights")
    variables = {"params": wanted, "batch_stats": {"mean": np.float32(0.25)}}
    monkeypatch.setattr(frozen_networks, "load_biggan", lambda *of: variables)
    fields = {"weights.biggan": str(file)}
    system = build_one(**fields)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert system.evaluate.frozen.origins["biggan"] == f"{file}, SHA-256: {digest}"
    state = tiny.first_of(system)
    file.write_bytes(b"others")
    with pytest.raises(ValueError, match="^weights.biggan: .* is not what this run began with"):
        build_one(**fields).evaluate(state, {}, False)
    # It may lie elsewhere, if it is the same.
    moved = tmp_path / "moved.bin"
    moved.write_bytes(b"weights")
    found = build_one(**{"weights.biggan": str(moved)}).evaluate.frozen
    frozen_networks.check_same(state.frozen, found)
    with pytest.raises(ValueError, match="^weights.u2net: 'package' is not allowed with model.mas"):
        build_one(**{"weights.u2net": "package", "model.masker": "u2net"})
