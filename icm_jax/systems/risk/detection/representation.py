"""Training faces by how they are represented, before any is drawn more often and at the end.

Faces of people, for the report of the run alone.
"""

import numpy as np

from icm_jax.systems.risk.detection.state import Detector, State
from icm_jax.systems.risk.groups import FACE
from icm_jax.systems.risk.worlds import World

PERCENTILES = 10
_SHOWN = 8  # of the least and the most represented faces


def show_faces(detector: Detector, world: World, state: State) -> dict[str, np.ndarray]:
    """The least and the most represented training faces, and the mean face by percentile.

    Returns:
      `least` and `most`, uint8 `[T, 8, H, W, C]`, `means`, float `[T, 10, H, W, C]` in [0, 1], by
      densities of T times: after the first epoch, if there was one, and at the end. {} of too few
      faces or of a model without density.
    """
    train = world.splits.train
    is_face = train.labels == FACE
    faces = train.images[is_face]
    if not detector.config.model.density or len(faces) < PERCENTILES * _SHOWN:
        return {}
    first = np.asarray(state.first_density)[is_face]
    last = np.asarray(detector.describe(state.variables, faces).density)
    orders = [np.argsort(density) for density in (first, last) if density is last or first.any()]
    return {
        "least": np.stack([faces[order[:_SHOWN]] for order in orders]),
        "most": np.stack([faces[order[-_SHOWN:]] for order in orders]),
        "means": np.stack([_mean_faces(faces[order]) for order in orders]),
    }


def _mean_faces(faces: np.ndarray) -> np.ndarray:
    """Means `[10, H, W, C]` in [0, 1] of tenths of faces, as they are ordered."""
    return np.stack([part.mean(axis=0) for part in np.array_split(faces, PERCENTILES)]) / 255
