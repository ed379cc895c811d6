"""What a generator made of some classes along its training: small pictures in its state.

They belong to the checkpoint, so that a run that goes on shows what one without a stop does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from icm_jax import streams
from icm_jax.data import to_bytes
from icm_jax.streams import SeedStream
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.generate import Generate
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.counterfactual.pixels import to_unit

PARTS = ("mask", "foreground", "background", "image")
SHOWN = 10  # classes in pictures, at most
_MOMENTS, _CLASSES = 6, 4  # that are kept, at most


class History(NamedTuple):
    """Pictures of T moments of training and of K classes.

    Attributes:
      pictures: uint8 `[T, 4, K, S, S, 3]`, the parts in the order of `PARTS`; black where training
        has not come to.
      seen: int32 `[]`, how many evaluations there were.
    """

    pictures: Any
    seen: Any


def moments(config: ConfigDict) -> list[int]:
    """The numbers, from 1, of the evaluations after which pictures are kept: the last is one."""
    count = max(1, -(-config.steps // config.evaluation.every))
    return sorted({round(x) for x in np.linspace(1, count, min(count, _MOMENTS))})


def empty(config: ConfigDict, classes: int, size: int) -> History:
    """The history of a generator of L `classes` and images of `size` pixels that begins."""
    shape = (len(moments(config)), len(PARTS), min(classes, _CLASSES), size, size, 3)
    return History(np.zeros(shape, np.uint8), np.int32(0))


def observe(
    config: ConfigDict, show: Callable[[PyTree], np.ndarray], state: PyTree, data: PyTree
) -> PyTree:
    """The state with the pictures of the present evaluation, where they are kept.

    Args:
      config: of the run.
      show: `variables -> float [4, L, S, S, 3]` in [0, 1], see `show_parts`.
      state: with `average` and `history`.
      data: unused.
    """
    del data
    pictures, seen = (np.array(of) for of in state.history)
    seen, kept = seen + np.int32(1), moments(config)
    if seen in kept:
        parts = show(state.average)
        pictures[kept.index(seen)] = _to_pixels(parts, pictures.shape[2])
    return state._replace(history=History(pictures, seen))


def shown(config: ConfigDict, history: History, parts: np.ndarray) -> dict[str, np.ndarray]:
    """What was kept; of a generator that was never trained, what it makes now.

    Args:
      config: of the run.
      history: at its end.
      parts: float `[4, L, S, S, 3]` in [0, 1], see `show_parts`.

    Returns:
      `history`, uint8 `[T, 4, K, S, S, 3]`, and `steps`, int `[T]`, at which they were made.
    """
    kept = np.array([moment for moment in moments(config) if moment <= history.seen], int)
    if not len(kept):
        now = _to_pixels(parts, history.pictures.shape[2])
        return {"history": now[None], "steps": np.zeros(1, int)}
    steps = np.minimum(kept * config.evaluation.every, config.steps)
    return {"history": np.asarray(history.pictures)[: len(kept)], "steps": steps}


def show_parts(
    generate: Generate, classes: int, config: ConfigDict, variables: PyTree
) -> np.ndarray:
    """Each class as it is made in training, float32 `[4, L, S, S, 3]` in [0, 1], see `PARTS`.

    All classes, ten at most, have the same noise, which is always the same.
    """
    key = streams.of_seed(0, SeedStream.EVALUATION)
    noise = np.asarray(jax.random.normal(key, (1, config.generator.latent)))
    labels = np.arange(min(classes, SHOWN), dtype=np.int32)
    same = Each(*[noise.repeat(len(labels), axis=0)] * 3), Each(*[labels] * 3)
    made = jax.device_get(generate(variables, *same, key))
    return np.stack([made.mask.repeat(3, axis=3), *map(to_unit, made[1:])])


def _to_pixels(parts: np.ndarray, classes: int) -> np.ndarray:
    """The first classes of parts in [0, 1], as uint8."""
    return to_bytes(parts[:, :classes])
