"""Wildlife MNIST: digit and background of textures of their class, in the test of any's.

After Sauer and Geiger 2021 (Counterfactual Generative Networks): digits as of double-coloured
MNIST, striped inside and veined outside, with fresh crops of the textures at each use.
"""

from collections.abc import Mapping

import jax
import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Dataset, Splits
from icm_jax.systems.counterfactual.biased import textures
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
    """Draws the textures of all images, which are those of the train split, see `divide_train`.

    Args:
      settings: `config.data`, with `textures`: see `textures.load_textures`.
      splits: grey images `[N, H, W, 1]` of at most 10 classes.
      seed: of whose textures the images to test on have.

    Raises:
      ValueError: images or textures do not fit.
      FileNotFoundError: there is no such folder.
    """
    splits = divide_train(splits)
    classes = count_classes(splits)
    _, of_test = generators(seed)
    labels, count = splits.train.labels, len(splits.test.labels)
    foreground, background = (draw_classes(count, classes, of_test) for _ in range(2))
    whose = draw_biased(labels, classes, settings.unbiased, seed)
    return BiasedData(
        train=_texture(splits.train, *whose),
        test=_texture(splits.test, foreground, background),
        shared=textures.load_textures(settings.textures, classes),
        render=render,
        classes=classes,
        size=SIZE,
    )


def render(
    parts: Mapping[str, jax.Array], shared: Mapping[str, jax.Array], key: jax.Array
) -> jax.Array:
    """Images `[B, 32, 32, 3]` in [-1, 1] with crops drawn by the key, see `BiasedData.render`."""
    keys = jax.random.split(key)
    foreground = textures.draw_crops(shared["objects"], parts["foreground"], SIZE, keys[0])
    background = textures.draw_crops(shared["backgrounds"], parts["background"], SIZE, keys[1])
    return compose(unpack_ink(parts["ink"]), foreground, background)


def _texture(dataset: Dataset, foreground: np.ndarray, background: np.ndarray) -> Split:
    """Images of the textures of the classes `foreground` and `background`, int32 `[N]`."""
    whose = {"foreground": foreground, "background": background}
    ink = pack_ink(dataset, TENTH, nearest_of_torch)
    return Split({"ink": ink, **whose}, dataset.labels, whose)
