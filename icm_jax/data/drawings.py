"""Drawings of any size made as MNIST's digits were: a box of ink, its centre of mass in the middle.

Experts of shifts know where an image should lie by its centre of mass alone (LeCun et al. 1998,
Gradient-based learning applied to document recognition, section III).
"""

import numpy as np
from PIL import Image
from scipy import ndimage


def like_digits(images: np.ndarray, thicken: int, box: int, size: int) -> np.ndarray:
    """Thickens, crops, scales and centres bright drawings on black.

    Args:
      images: uint8 `[N, H, W, C]`; colours become grey.
      thicken: every pixel becomes the largest of the `thicken` x `thicken` around it, before it is
        scaled; 0 leaves lines as they are.
      box: pixels of the longer side of the ink, after it is cropped.
      size: pixels a side of the result, at least `box`.

    Returns:
      uint8 `[N, size, size, 1]`. An image without ink stays black; no ink is cut off to centre it.
    """
    result = np.zeros((len(images), size, size, 1), np.uint8)
    for image, canvas in zip(images, result[..., 0], strict=True):
        grey = image.max(axis=-1)
        if thicken:
            grey = ndimage.maximum_filter(grey, thicken)
        if grey.any():
            _centre(_boxed(grey, box), canvas)
    return result


def _boxed(image: np.ndarray, box: int) -> np.ndarray:
    rows, columns = np.nonzero(image)
    ink = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    factor = box / max(ink.shape)
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    resized = Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def _centre(ink: np.ndarray, canvas: np.ndarray) -> None:
    """Puts ink `[h, w]` on a black canvas `[S, S]`, in place."""
    corner = [
        int(np.clip(round(len(canvas) / 2 - 0.5 - centre), 0, len(canvas) - side))
        for centre, side in zip(ndimage.center_of_mass(ink), ink.shape, strict=True)
    ]
    (top, left), (height, width) = corner, ink.shape
    canvas[top : top + height, left : left + width] = ink
