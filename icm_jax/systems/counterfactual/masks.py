"""A check of masks that needs no label: whether they are of something, and the right way round."""

from typing import NamedTuple

import chex
import numpy as np

_FRAME = 3  # pixels
_EMPTY, _FULL = 0.03, 0.6  # shares of the pixels
_TOUCHING, _INVERTED = 0.1, 0.5  # shares of the frame


class MaskCheck(NamedTuple):
    """What masks of one class are like.

    Attributes:
      area: mean share of the pixels that is foreground.
      frame: mean share of the outer frame of 3 pixels that is.
      fault: 'empty', 'full', 'inverted', 'touching' the frame, or '' for none.
    """

    area: float
    frame: float
    fault: str


def check_masks(masks: np.ndarray) -> MaskCheck:
    """Checks masks of one class, float `[N, S, S, 1]` in [0, 1].

    Digits cover some 13 % of an image and never its frame. Where foreground and background have
    changed places the frame is covered; where one of them does the work of both, the mask is empty
    or full.
    """
    chex.assert_rank(masks, 4)
    frame = np.ones(masks.shape[1:3], bool)
    frame[_FRAME:-_FRAME, _FRAME:-_FRAME] = False
    area, covered = float(masks.mean()), float(masks[:, frame].mean())
    return MaskCheck(area, covered, _name_fault(area, covered))


def _name_fault(area: float, frame: float) -> str:
    if area > _FULL and frame > _INVERTED:
        # Full rather than inverted where the middle is covered too.
        return "full" if area > 0.95 else "inverted"
    if area > _FULL:
        return "full"
    if area < _EMPTY:
        return "empty"
    if frame > _INVERTED:
        return "inverted"
    return "touching" if frame > _TOUCHING else ""
