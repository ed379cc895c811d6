"""Counterfactuals by number: the same number is always the same image, and none is kept."""

import jax

from icm_jax import streams
from icm_jax.streams import SeedStream
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.generate import draw_labels, draw_noise, generate_each
from icm_jax.systems.counterfactual.generation.use import Generator
from icm_jax.systems.counterfactual.networks.mechanisms import Each


def make_numbered(
    generator: Generator, per_shape: int, variables: PyTree, index: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Makes images of random labels and noise, those of number i by keys of i.

    Args:
      generator: its networks.
      per_shape: numbers 0 to `per_shape` - 1 have one shape, with its noise, the next as many have
        another, and so on; each has textures of its own.
      variables: of the networks.
      index: numbers from 0 on, int32 `[B]`.

    Returns:
      float32 `[B, S, S, 3]` in [-1, 1], and the labels of their shapes, int32 `[B]`.
    """
    shapes, textures = jax.random.split(streams.of_seed(0, SeedStream.COUNTERFACTUALS))

    def draw(key: jax.Array) -> tuple[Each, Each, jax.Array]:
        noise_key, label_key, shift_key = jax.random.split(key, 3)
        noise = draw_noise(noise_key, 1, generator.latent)
        labels = draw_labels(label_key, 1, generator.classes)
        return *jax.tree.map(lambda part: part[0], (noise, labels)), shift_key

    def draw_numbered(number: jax.Array) -> tuple[Each, Each, jax.Array]:
        its_noise, its_label, _ = draw(jax.random.fold_in(shapes, number // per_shape))
        noise, labels, shift_key = draw(jax.random.fold_in(textures, number))
        noise = noise._replace(shape=its_noise.shape)
        return noise, labels._replace(shape=its_label.shape), shift_key

    noise, labels, keys = jax.vmap(draw_numbered)(index)
    made = generate_each(generator.mechanisms, variables, noise, labels, keys)
    return made.images, labels.shape
