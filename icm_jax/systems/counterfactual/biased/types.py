"""What a data set is whose colours or textures tell the class in training only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

Arrays = Mapping[str, np.ndarray]


class Split(NamedTuple):
    """N images as what they are rendered from, and what is known of each.

    Attributes:
      parts: name -> array `[N, ...]`, what `BiasedData.render` takes.
      labels: int32 `[N]`.
      attributes: where a set has them, `foreground` and `background`, int32 `[N]`: the class whose
        colour or texture the image has, its own in training; `foreground_color` and
        `background_color`, float32 `[N, 3]`: the colour itself, as a share of 255.
    """

    parts: Arrays
    labels: np.ndarray
    attributes: Arrays


class BiasedData(NamedTuple):
    """A data set.

    Attributes:
      train: to learn from.
      test: to test on; what told the class there is drawn independently of it.
      shared: arrays that all images are rendered from: textures of wildlife, {} elsewhere.
      render: `(parts of b images, shared, key) -> images`, float32 `[b, S, S, 3]` in [-1, 1]
        (jittered colours of double-coloured MNIST leave it by a little, as published). Pure; the
        key draws the crops of textures, others do not use it.
      classes: how many there are.
      size: pixels a side, S.
      names: of the classes; () where they are called by their numbers.
    """

    train: Split
    test: Split
    shared: Arrays
    render: Callable[[Mapping[str, jax.Array], Mapping[str, jax.Array], jax.Array], jax.Array]
    classes: int
    size: int
    names: tuple[str, ...] = ()


def take_images(
    biased: BiasedData, data: Mapping[str, Any], index: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Images to train on and their labels, within a step.

    Args:
      biased: how they are rendered.
      data: what `given` gives: `parts`, `labels` and `shared`.
      index: which, int32 `[B]`.
      key: typed key `[]`, see `BiasedData.render`.

    Returns:
      float32 `[B, S, S, 3]` in [-1, 1], and int32 `[B]`.
    """
    parts = jax.tree.map(lambda part: part[index], data["parts"])
    return biased.render(parts, data["shared"], key), data["labels"][index]


def given(made: Sequence[BiasedData]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What steps are given of a data set as several seeds make it, see `System.shared`, `data`.

    Arrays that are the very same for all seeds, such as images of one's own, are shared.

    Args:
      made: by each seed.

    Returns:
      What is shared: `shared`, and of `parts` and `labels` of training what is the same; and what
      is left of these for each seed.
    """
    each = [{"parts": of.train.parts, "labels": of.train.labels} for of in made]

    def is_same(name: str) -> bool:
        first, *others = (jax.tree.leaves(of[name]) for of in each)
        return all(a is b for other in others for a, b in zip(first, other, strict=True))

    shared = {name: of_first for name, of_first in each[0].items() if is_same(name)}
    own = [{name: of[name] for name in of if name not in shared} for of in each]
    return {"shared": made[0].shared, **shared}, own
