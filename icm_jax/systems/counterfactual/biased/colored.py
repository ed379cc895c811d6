"""Coloured MNIST: digits on black in the colour of their class, in the test in any class's.

As Kim et al. 2019 (Learning Not to Learn) made it and Sauer and Geiger 2021 use it: where a pixel
is above 128 it has the image's colour, drawn about the mean of a class and kept as uint8; images
grow to 32 pixels by Pillow's nearest neighbours. In which way colours became uint8 is not known:
here they are rounded.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Dataset, Splits
from icm_jax.systems.counterfactual.biased import colors
from icm_jax.systems.counterfactual.biased.digits import (
    SIZE,
    count_classes,
    draw_biased,
    draw_classes,
    generators,
    pack_ink,
    unpack_ink,
)
from icm_jax.systems.counterfactual.biased.resizing import nearest_of_pillow
from icm_jax.systems.counterfactual.biased.types import BiasedData, Split
from icm_jax.systems.counterfactual.composition import compose

_ABOVE = 128  # of 255


def make(settings: ConfigDict, splits: Splits, seed: int) -> BiasedData:
    """Draws the colours of all images, of the splits as they are.

    Args:
      settings: `config.data`, with `variance`: of a channel in a class, as a share of 255; and
        `unbiased`, see `digits.draw_biased`.
      splits: grey images `[N, H, W, 1]` of at most 10 classes.
      seed: of the colours.

    Raises:
      ValueError: the images do not fit.
    """
    classes = count_classes(splits)
    deviation = settings.variance**0.5
    of_train, of_test = generators(seed)
    drawn = draw_classes(len(splits.test.labels), classes, of_test)
    whose, _ = draw_biased(splits.train.labels, classes, settings.unbiased, seed)
    return BiasedData(
        train=_color(splits.train, whose, deviation, of_train),
        test=_color(splits.test, drawn, deviation, of_test),
        shared={},
        render=render,
        classes=classes,
        size=SIZE,
    )


def render(
    parts: Mapping[str, jax.Array], shared: Mapping[str, jax.Array], key: jax.Array
) -> jax.Array:
    """Images `[B, 32, 32, 3]` in [-1, 1], see `BiasedData.render`."""
    del shared, key
    color = colors.to_signed(parts["foreground"])[:, None, None]
    return compose(unpack_ink(parts["ink"]), color, jnp.full_like(color, -1))


def _color(
    dataset: Dataset, whose: np.ndarray, deviation: float, rng: np.random.RandomState
) -> Split:
    """Images in colours drawn about those of the classes `whose` `[N]`."""
    color = colors.draw_inside(colors.MEANS[whose], deviation, rng)
    return Split(
        parts={"ink": pack_ink(dataset, _ABOVE, nearest_of_pillow), "foreground": color},
        labels=dataset.labels,
        attributes={
            "foreground": whose,
            "foreground_color": (color / 255).astype(np.float32),
        },
    )
