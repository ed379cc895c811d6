"""Images of one's own with their labels: nothing is known of colours or textures."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from icm_jax.data import Dataset, Splits
from icm_jax.data.checks import check_classes
from icm_jax.systems.counterfactual.biased.colors import to_signed
from icm_jax.systems.counterfactual.biased.types import BiasedData, Split


def make(settings: ConfigDict, splits: Splits, seed: int) -> BiasedData:
    """Takes images as they are: no attributes, and the same for each seed.

    Args:
      settings: `config.data`, with `size`: pixels a side of the images, S.
      splits: images `[N, S, S, 1]` or `[N, S, S, 3]`.
      seed: unused.

    Raises:
      ValueError: images are of another size, or there are labels that cannot be learned.
    """
    del seed
    size = settings.size
    for split in splits:
        if split.images.shape[1:3] != (size, size):
            height, width = split.images.shape[1:3]
            raise ValueError(
                f"data.size: {size} is not allowed; the images have {height}x{width} pixels"
            )
    classes = check_classes(splits)
    names = _names(splits.train, classes)
    return BiasedData(*map(_keep, splits), {}, render, classes, size, names)


def render(
    parts: Mapping[str, jax.Array], shared: Mapping[str, jax.Array], key: jax.Array
) -> jax.Array:
    """Images `[B, S, S, 3]` in [-1, 1], see `BiasedData.render`; grey ones get three channels."""
    del shared, key
    images = to_signed(parts["image"])
    return jnp.broadcast_to(images, (*images.shape[:-1], 3))


def _names(dataset: Dataset, classes: int) -> tuple[str, ...]:
    """What the source calls the classes of its labels, such as folders; () where it does not."""
    said = dataset.attributes.get("class")
    if said is None:
        return ()
    names = dict(zip(dataset.labels.tolist(), map(str, said), strict=True))
    return tuple(names.get(label, str(label)) for label in range(classes))


def _keep(dataset: Dataset) -> Split:
    return Split({"image": dataset.images}, dataset.labels, {})
