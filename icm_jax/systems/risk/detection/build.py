"""The face detector as a system: data of a world, states, phases, evaluation."""

import functools
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.system import System
from icm_jax.systems.risk import worlds
from icm_jax.systems.risk.detection import evaluation, figures
from icm_jax.systems.risk.detection.state import init_state, make_detector, make_phases
from icm_jax.systems.risk.faces import load_faces
from icm_jax.systems.risk.groups import FACE
from icm_jax.systems.risk.worlds import World

# Which fields of `config.world` each world takes.
_OF_WORLDS = {
    "plain": (),
    "density": ("shares",),
    "conflict": ("mechanism", "share", "non_face_share"),
    "noise": ("rates",),
}


def load(config: ConfigDict) -> Splits:
    """Faces (label 1) and others, see `icm_jax.systems.risk.faces.load_faces`."""
    return load_faces(config.data)


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.risk.detection.config`), one a seed.

    A seed decides which images are in which group, and which labels are wrong.

    Args:
      config: a validated config.
      splits: images of faces (label 1) and others (0).
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the world cannot be made of these images.
    """
    made = [make_world(config.world, splits, seed) for seed in seeds]
    shape, count = splits.train.images.shape[1:], len(splits.train.labels)
    detector = make_detector(config, shape, len(made[0].names), axis_name)
    shared = System(
        name=config.system,
        init=functools.partial(init_state, detector, count),
        phases=make_phases(detector),
        data={},
        evaluate=functools.partial(evaluation.evaluate, detector),
        figures=figures.draw,
        headline=evaluation.headline,
    )
    return tuple(
        shared._replace(data=_data(world), evaluate=functools.partial(shared.evaluate, world))
        for world in made
    )


def make_world(settings: ConfigDict, splits: Splits, seed: int) -> World:
    """The world that `config.world` names, of a seed.

    Raises:
      ValueError: it cannot be made of these images.
    """
    fields = {name: settings[name] for name in _OF_WORLDS[settings.name]}
    return worlds.WORLDS[settings.name](splits, seed, **fields)


def _data(world: World) -> dict[str, np.ndarray]:
    """What training is given: no true label is among it."""
    train = world.splits.train
    if not 0 < (train.labels == FACE).sum() < len(train.labels):
        raise ValueError("data: no faces, or nothing but faces, to train on")
    labels = train.labels.astype(np.int32)
    return {"images": train.images, "labels": labels, "group": train.attributes["group"]}
