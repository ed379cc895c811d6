import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import classification


def build(c, train, test, size=0, axis=None):
    task = classification.labelled(c, train, test, size, axis)
    classifier = classification.make_classifier(c, task.classes, size=size, axis_name=axis)
    return classification.build(c, task, classifier, axis)


@pytest.fixture(scope="module")
def trained():
    """A classifier of the two classes of `tiny`, 60 steps old, and its metrics."""
    c = tiny.icm().classifier
    c.steps = 60
    c.learning_rate = 1e-2
    system = build(c, *tiny.splits())
    data = jax.tree.map(jnp.asarray, system.given)
    state = jax.jit(system.init)(jax.random.key(0))
    step = jax.jit(chex.assert_max_traces(system.phases[0].step, n=1))
    history = []
    for i in range(60):
        state, metrics = step(state, data, jax.random.key(i))
        history.append(jax.device_get(metrics))
    return system, state, history


def test_four_devices_learn_what_one_does():
    """`vmap` over a named axis stands for the devices, as in `test_icm`."""
    c = tiny.icm().classifier
    c.dropout = 0.0
    train, test = tiny.splits()
    alone, shared = (build(c, train, test, axis=axis) for axis in (None, "devices"))
    data = jax.tree.map(jnp.asarray, alone.given)
    state, key = jax.jit(alone.init)(jax.random.key(0)), jax.random.key(1)
    whole, totals = jax.jit(alone.phases[0].step)(state, data, key)

    def on_devices(count):
        step = jax.vmap(
            lambda _: shared.phases[0].step(state, data, key),
            axis_size=count,
            axis_name="devices",
        )
        return jax.jit(step)(jnp.arange(count))

    everywhere = on_devices(4)
    for device in range(4):
        found, metrics = jax.tree.map(lambda t, d=device: t[d], everywhere)
        # Adam's first moments are the gradients; its first step is their sign.
        chex.assert_trees_all_close(found.opt_state[0].mu, whole.opt_state[0].mu, atol=1e-6)
        chex.assert_trees_all_close(found.batch_stats, whole.batch_stats, atol=1e-5)
        chex.assert_trees_all_close(metrics, totals, rtol=1e-5)
    with pytest.raises(ValueError, match="batch_size: 8 does not divide among 3 devices"):
        on_devices(3)


def test_it_learns_and_is_right_on_what_it_never_saw(trained):
    system, state, history = trained
    # Before anything is learned the two classes cost about log 2 each.
    assert 0.4 < history[0]["loss"].total / history[0]["loss"].count < 1.2
    evaluation = system.evaluate(state, {}, True)
    assert evaluation.summary == {"accuracy": {"test": 1.0}}


def test_metrics_are_sums_over_the_batch(trained):
    _, _, history = trained
    assert history[0]["accuracy"].count == 8
    assert history[0]["accuracy"].total == int(history[0]["accuracy"].total) <= 8


def test_bytes_and_floats_are_classified_alike(trained):
    _, state, _ = trained
    predict = classification.make_classifier(tiny.icm().classifier, 2).predict
    images = tiny.splits().test.images
    floats = jnp.asarray(images, jnp.float32) / 255
    chex.assert_trees_all_equal(predict(state, jnp.asarray(images)), predict(state, floats))


def test_it_reads_padded_images():
    c = tiny.icm().classifier
    system = build(c, *tiny.splits(), size=16)
    state = jax.jit(system.init)(jax.random.key(0))
    # 16 / 2 / 2 = 4 a side, 4 channels, into the first dense layer.
    assert state.params["Dense_0"]["kernel"].shape == (4 * 4 * 4, 8)
    predict = classification.make_classifier(c, 2, size=16).predict
    assert predict(state, tiny.splits().test.images).shape == (12,)


def test_the_faces_classifier_pays_binary_cross_entropy_and_tells_two_classes_apart():
    c = tiny.icm().classifier
    c.kind, c.steps, c.learning_rate = "faces", 40, 3e-3
    system = build(c, *tiny.splits())
    data = jax.tree.map(jnp.asarray, system.given)
    state = jax.jit(system.init)(jax.random.key(0))
    step = jax.jit(chex.assert_max_traces(system.phases[0].step, n=1))
    losses = []
    for i in range(c.steps):
        state, metrics = step(state, data, jax.random.key(i))
        losses.append(metrics["loss"].total / metrics["loss"].count)
    assert losses[-1] < 0.5 * losses[0]
    assert system.evaluate(state, {}, True).summary == {"accuracy": {"test": 1.0}}
    train, test = tiny.splits()
    with pytest.raises(ValueError, match="classifier.kind: 'faces' tells two classes apart, not 3"):
        build(c, train._replace(labels=np.arange(40) % 3), test)


def test_classes_are_counted_up_to_the_largest_label():
    train, _ = tiny.splits()
    train = train._replace(labels=np.where(train.labels == 1, 4, 0))
    assert classification.class_count(train) == 5
