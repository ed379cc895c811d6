"""Counterfactuals by number: what is drawn for each, whatever stands beside it."""

from types import SimpleNamespace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.counterfactual import generators
from systems.counterfactual.invariance import tiny

from icm_jax.systems import registry
from icm_jax.systems.counterfactual.generate import generate, generate_each
from icm_jax.systems.counterfactual.generation.use import Generator
from icm_jax.systems.counterfactual.invariance import numbered, supply

LATENT, CLASSES = 4, 3


def drawn(monkeypatch, index, per_shape):
    """Noise, labels and keys of numbers, in place of their images."""
    monkeypatch.setattr(
        numbered,
        "generate_each",
        lambda mechanisms, variables, *found: SimpleNamespace(images=found),
    )
    generator = Generator(None, None, LATENT, CLASSES)
    found, labels = numbered.make_numbered(generator, per_shape, None, jnp.int32(index))
    noise, all_labels, keys = found
    chex.assert_trees_all_equal(labels, all_labels.shape)
    return jax.device_get((noise, all_labels, jax.random.key_data(keys)))


def test_numbers_that_share_a_shape_have_textures_of_their_own(monkeypatch):
    noise, labels, keys = drawn(monkeypatch, range(60), 3)
    assert noise.shape.shape == (60, LATENT) and labels.shape.dtype == np.int32
    of_shapes = noise.shape.reshape(20, 3, LATENT), labels.shape.reshape(20, 3)
    for each in of_shapes:
        np.testing.assert_array_equal(each, each[:, :1].repeat(3, axis=1))
    assert len(np.unique(of_shapes[0][:, 0], axis=0)) == 20
    both = np.concatenate([noise.foreground, noise.background])
    assert len(np.unique(both, axis=0)) == 120 and len(np.unique(keys, axis=0)) == 60
    # Labels are drawn apart.
    assert len(set(zip(*(of.tolist() for of in labels), strict=True))) > 20


def test_a_number_is_the_same_in_any_batch(monkeypatch):
    whole, some = (drawn(monkeypatch, index, 2) for index in (range(9), [7, 2, 7]))
    chex.assert_trees_all_equal(some, jax.tree.map(lambda x: x[np.array([7, 2, 7])], whole))


def test_each_image_is_finished_by_a_key_of_its_own():
    module, variables = generators.small()
    noise, labels = generators.inputs()
    keys = jax.random.split(jax.random.key(4), 3)

    @jax.jit
    def both(variables, keys):
        first = jax.tree.map(lambda part: part[1:2], (noise, labels))
        return generate_each(module, variables, noise, labels, keys), generate(
            module, variables, *first, keys[1]
        )

    every, alone = both(variables, keys)
    chex.assert_trees_all_close(jax.tree.map(lambda x: x[1:2], every), alone, atol=1e-5)


@pytest.mark.slow
def test_a_batch_is_drawn_of_so_many_by_devices_as_by_one():
    module, variables = generators.small()
    made = supply.of_generator(Generator(module, variables, LATENT, CLASSES), 3, 1)

    @jax.jit
    def both(variables, key):
        call = jax.vmap(
            lambda _: made.make(variables, key, 20, "devices"), axis_name="devices", axis_size=2
        )
        return made.make(variables, key, 20, None), call(jnp.zeros(2))

    alone, shared = both(variables, jax.random.key(0))
    assert len(np.unique(np.round(alone[0], 3), axis=0)) == 3
    joined = jax.tree.map(lambda x: x.reshape(20, *x.shape[2:]), shared)
    chex.assert_trees_all_close(joined, alone, atol=1e-5)


def test_what_does_not_go_together_is_refused(tmp_path):
    config = tiny.classifier("colored,both")
    config.counterfactuals.per_shape = 5
    message = "^counterfactuals.per_shape: 5 is not allowed with counterfactuals.count 0; it must"
    with pytest.raises(ValueError, match=message):
        registry.validate(config)
    file = tmp_path / "counterfactuals.npz"
    images = np.zeros((2, 32, 32, 3), np.uint8)
    np.savez(file, images=images, shape=np.arange(2))
    with pytest.raises(ValueError, match="^counterfactuals.count: 9 is not allowed with a file of"):
        supply.load(file, "generator", 9)
