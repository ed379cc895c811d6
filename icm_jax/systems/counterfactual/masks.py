"""A check of masks that needs no label: whether they are of something, and the right way round."""

from typing import NamedTuple

import chex
import numpy as np

FRAME = 3  # pixels: no digit comes so near to the border
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
    changed places the frame is covered, or, where a loss keeps masks off it, the ring of 3 pixels
    within it; where one of them does the work of both, the mask is empty or full.
    """
    chex.assert_rank(masks, 4)
    frame, ring = (_cover(masks, start) for start in (0, FRAME))
    area = float(masks.mean())
    return MaskCheck(area, frame, _name_fault(area, frame, ring))


def _cover(masks: np.ndarray, start: int) -> float:
    """Mean share that masks cover of a frame as wide as the outer one, `start` pixels inside."""
    whole = masks[:, start : masks.shape[1] - start, start : masks.shape[2] - start]
    frame = np.ones(whole.shape[1:3], bool)
    frame[FRAME:-FRAME, FRAME:-FRAME] = False
    return float(whole[:, frame].mean())


def _name_fault(area: float, frame: float, ring: float) -> str:
    if area > _FULL and frame > _INVERTED:
        # Full rather than inverted where the middle is covered too.
        return "full" if area > 0.95 else "inverted"
    if area > _FULL:
        return "full"
    if area < _EMPTY:
        return "empty"
    if max(frame, ring) > _INVERTED:
        return "inverted"
    return "touching" if frame > _TOUCHING else ""
