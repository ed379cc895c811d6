"""Double-coloured MNIST: digit and background in colours of their class, in the test in any's.

After Sauer and Geiger 2021 (Counterfactual Generative Networks): pixels above a tenth are ink,
images grow to 32 pixels by PyTorch's nearest neighbours, and the colours, of two tables, are
jittered a little, which may leave [0, 1]. They drew the jitter anew at each use; here an image
keeps its colours.
"""

from collections.abc import Mapping

import jax
import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Dataset, Splits
from icm_jax.systems.counterfactual.biased import colors
from icm_jax.systems.counterfactual.biased.digits import (
    SIZE,
    TENTH,
    count_classes,
    divide_train,
    draw_biased,
    draw_classes,
    generators,
    pack_ink,
    unpack_ink,
)
from icm_jax.systems.counterfactual.biased.resizing import nearest_of_torch
from icm_jax.systems.counterfactual.biased.types import BiasedData, Split
from icm_jax.systems.counterfactual.composition import compose


def make(settings: ConfigDict, splits: Splits, seed: int) -> BiasedData:
    """Draws the colours of all images, which are those of the train split, see `divide_train`.

    Args:
      settings: `config.data`, with `deviation`: the jitter's, as a share of 255.
      splits: grey images `[N, H, W, 1]` of at most 10 classes.
      seed: of the colours.

    Raises:
      ValueError: the images do not fit.
    """
    splits = divide_train(splits)
    classes = count_classes(splits)
    of_train, of_test = generators(seed)
    labels, count = splits.train.labels, len(splits.test.labels)
    foreground, background = (draw_classes(count, classes, of_test) for _ in range(2))
    whose = draw_biased(labels, classes, settings.unbiased, seed)
    return BiasedData(
        train=_color(splits.train, *whose, settings.deviation, of_train),
        test=_color(splits.test, foreground, background, settings.deviation, of_test),
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
    foreground, background = (
        2 * parts[name][:, None, None] - 1 for name in ("foreground", "background")
    )
    return compose(unpack_ink(parts["ink"]), foreground, background)


def _color(
    dataset: Dataset,
    foreground: np.ndarray,
    background: np.ndarray,
    deviation: float,
    rng: np.random.RandomState,
) -> Split:
    """Images in the colours of the classes `foreground` and `background`, int32 `[N]`."""
    drawn = {
        "foreground": colors.draw_jittered(colors.FOREGROUNDS[foreground], deviation, rng),
        "background": colors.draw_jittered(colors.BACKGROUNDS[background], deviation, rng),
    }
    drawn = {name: color.astype(np.float32) for name, color in drawn.items()}
    return Split(
        parts={"ink": pack_ink(dataset, TENTH, nearest_of_torch), **drawn},
        labels=dataset.labels,
        attributes={
            "foreground": foreground,
            "background": background,
            **{f"{name}_color": color for name, color in drawn.items()},
        },
    )
