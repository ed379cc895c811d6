"""What an invariant classifier is shown at a step: originals, others, or both."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from icm_jax import collectives
from icm_jax.data import draw_balanced
from icm_jax.supervised import Batch
from icm_jax.system import Metrics
from icm_jax.systems.counterfactual.biased import BiasedData, take_images
from icm_jax.systems.counterfactual.invariance.supply import Supply

Data = Mapping[str, Any]


class Drawing(NamedTuple):
    """Where a batch comes from.

    Attributes:
      originals: how many images of a batch are drawn from the data.
      supplied: how many are others: counterfactuals, or whatever a generator makes.
      biased: how originals are rendered.
      supply: of the others; None where there are none.
      axis_name: device axis, or None.
    """

    originals: int
    supplied: int
    biased: BiasedData
    supply: Supply | None
    axis_name: str | None


def draw(drawing: Drawing, state: Any, data: Data, key: jax.Array) -> tuple[Batch, Metrics]:
    """This device's share of originals, from all `groups` alike if there are any, and of others."""
    del state
    parts = []
    original_key, supply_key = jax.random.split(key)
    if drawing.originals:
        parts.append(_draw_originals(drawing, data, original_key))
    if drawing.supplied:
        arrays, count = data["generator"], drawing.supplied
        images, labels = drawing.supply.make(arrays, supply_key, count, drawing.axis_name)
        parts.append(Batch(images, labels, jnp.zeros_like(labels)))
    return jax.tree.map(lambda *each: jnp.concatenate(each), *parts), {}


def _draw_originals(drawing: Drawing, data: Data, key: jax.Array) -> Batch:
    index_key, render_key = jax.random.split(key)
    if "groups" in data:
        index, group = draw_balanced(index_key, data["groups"], drawing.originals)
    else:
        index = jax.random.randint(index_key, (drawing.originals,), 0, len(data["labels"]))
        group = jnp.zeros_like(index)
    images, labels = take_images(drawing.biased, data, index, render_key)
    field = "half of batch_size" if drawing.supplied else "batch_size"
    return collectives.share(Batch(images, labels, group), drawing.axis_name, field)
