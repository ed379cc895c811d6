"""Points of many dimensions as points of a plane, to be drawn."""

import numpy as np


def principal_plane(points: np.ndarray) -> np.ndarray:
    """Points `[N, F]` along their two directions of largest variance, float32 `[N, 2]`."""
    centred = points - points.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ directions[:2].T
    # A direction's sign is not determined: the largest entry is made positive.
    sign = np.sign(plane[np.abs(plane).argmax(axis=0), np.arange(plane.shape[1])])
    plane = plane * np.where(sign == 0, 1, sign)
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float32)
