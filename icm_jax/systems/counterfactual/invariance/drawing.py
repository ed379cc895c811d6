"""What an invariant classifier is shown at a step: originals, counterfactuals, or both."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from icm_jax import collectives
from icm_jax.supervised import Batch
from icm_jax.system import Metrics
from icm_jax.systems.counterfactual.biased import BiasedData
from icm_jax.systems.counterfactual.generate import draw_labels, draw_noise, generate
from icm_jax.systems.counterfactual.generation.use import Generator

Data = Mapping[str, Any]


class Drawing(NamedTuple):
    """Where a batch comes from.

    Attributes:
      originals: how many images of a batch are drawn from the data.
      counterfactuals: how many are generated.
      biased: how originals are rendered.
      generator: of the others; None where there are none.
      axis_name: device axis, or None.
    """

    originals: int
    counterfactuals: int
    biased: BiasedData
    generator: Generator | None
    axis_name: str | None


def draw(drawing: Drawing, state: Any, data: Data, key: jax.Array) -> tuple[Batch, Metrics]:
    """This device's share of originals and of counterfactuals."""
    del state
    parts = []
    original_key, made_key = jax.random.split(key)
    if drawing.originals:
        parts.append(_draw_originals(drawing, data, original_key))
    if drawing.counterfactuals:
        parts.append(_make_counterfactuals(drawing, data, made_key))
    images, labels = (jnp.concatenate(each) for each in zip(*parts, strict=True))
    return Batch(images, labels, jnp.zeros_like(labels)), {}


def _draw_originals(drawing: Drawing, data: Data, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    index_key, render_key = jax.random.split(key)
    index = jax.random.randint(index_key, (drawing.originals,), 0, len(data["labels"]))
    parts = jax.tree.map(lambda part: part[index], data["parts"])
    images = drawing.biased.render(parts, data["shared"], render_key)
    return collectives.share((images, data["labels"][index]), drawing.axis_name)


def _make_counterfactuals(
    drawing: Drawing, data: Data, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Images whose label is that of their shape; textures are of other labels, drawn apart."""
    generator, count = drawing.generator, drawing.counterfactuals
    noise_key, label_key, shift_key = jax.random.split(key, 3)
    noise = draw_noise(noise_key, count, generator.latent)
    labels = draw_labels(label_key, count, generator.classes)
    noise, labels = collectives.share((noise, labels), drawing.axis_name)
    if drawing.axis_name is not None:
        shift_key = jax.random.fold_in(shift_key, jax.lax.axis_index(drawing.axis_name))
    made = generate(generator.mechanisms, data["generator"], noise, labels, shift_key)
    return made.images, labels.shape
