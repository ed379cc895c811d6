"""How well images were restored."""

import chex
import numpy as np
from scipy import ndimage
from scipy.spatial import distance

# Equal images would have an infinite PSNR, which JSON cannot hold: 1e-10 caps it at 100 dB.
_SMALLEST_MSE = 1e-10


# Of Wang et al. 2004: a Gaussian window of 11 pixels, and what keeps quotients of dark or even
# windows stable, for values in [0, 1].
SSIM_SIDE, _DEVIATION = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr(images: np.ndarray, reference: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Measures the peak signal-to-noise ratio, `10 log10(1 / MSE)`, of every image.

    Args:
      images: float `[N, H, W, C]` in `[0, 1]`.
      reference: float `[N, H, W, C]` in `[0, 1]`, what the images should be.
      where: bool `[N, H, W]`, the pixels that count; all by default.

    Returns:
      float64 `[N]` in decibels, at most 100, which stands for equal images too; nan where no pixel
      counts.

    Raises:
      AssertionError: the arrays are not float `[N, H, W, C]` of the same shape, or `where` is not
        bool of that shape without channels.
    """
    images, reference, where = _checked(images, reference, where)
    error = _mean(np.square(images - reference).mean(axis=-1, dtype=np.float64), where)
    return -10 * np.log10(np.maximum(error, _SMALLEST_MSE))


def ssim(images: np.ndarray, reference: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Measures the structural similarity of every image to its reference.

    Wang, Bovik, Sheikh and Simoncelli 2004, Image Quality Assessment: From Error Visibility to
    Structural Similarity, with their window and constants: for every window that lies within the
    image, means, variances and covariance under a Gaussian; channels are averaged.

    With `where`, windows are centred on pixels that count and weigh no others, so that the rest of
    the image has no influence at all.

    Args:
      images: float `[N, H, W, C]` in `[0, 1]`, H and W at least 11.
      reference: float `[N, H, W, C]` in `[0, 1]`.
      where: bool `[N, H, W]`, the pixels that count; all by default.

    Returns:
      float64 `[N]` in [-1, 1], 1 for equal images; nan where no window is centred on a pixel that
      counts.

    Raises:
      AssertionError: as `psnr` does, or if images are smaller than a window.
    """
    images, reference, where = _checked(images, reference, where)
    assert min(images.shape[1:3]) >= SSIM_SIDE, f"SSIM needs {SSIM_SIDE} pixels, got {images.shape}"
    counted = where[..., None].astype(np.float64)
    x, y = images.astype(np.float64), reference.astype(np.float64)
    weight = _windows(counted)
    # Where a window holds no pixel that counts, neither does its centre.
    weight = np.where(weight > 0, weight, 1)

    def average(values):
        return _windows(values * counted) / weight

    mean_x, mean_y = average(x), average(y)
    # Rounding can make a variance negative.
    variance_x = np.maximum(average(x * x) - mean_x**2, 0)
    variance_y = np.maximum(average(y * y) - mean_y**2, 0)
    covariance = average(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    margin = SSIM_SIDE // 2
    return _mean((luminance * structure).mean(axis=-1), where[:, margin:-margin, margin:-margin])


def variation(images: np.ndarray) -> float:
    """Measures how much images differ: the mean distance of two of them.

    Args:
      images: float `[N, H, W, C]` in `[0, 1]`.

    Returns:
      The root of the mean squared difference of two images, averaged over all pairs; nan for
      fewer than two images. 0 says that all are the same.

    Raises:
      AssertionError: the array is of another kind.
    """
    images = np.asarray(images)
    chex.assert_rank(images, 4)
    chex.assert_type(images, float)
    if len(images) < 2:
        return float("nan")
    flat = images.reshape(len(images), -1)
    return float(distance.pdist(flat).mean() / np.sqrt(flat.shape[1]))


def _checked(
    images: np.ndarray, reference: np.ndarray, where: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arguments of `psnr`, pixels that count filled in; refuses what is of another kind."""
    images, reference = np.asarray(images), np.asarray(reference)
    chex.assert_rank([images, reference], 4)
    chex.assert_equal_shape([images, reference])
    chex.assert_type([images, reference], float)
    where = np.ones(images.shape[:3], bool) if where is None else np.asarray(where)
    chex.assert_shape(where, images.shape[:3])
    chex.assert_type(where, bool)
    return images, reference, where


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The mean of `[N, H, W]` over the pixels that count: `[N]`, nan where none does."""
    counts = where.sum(axis=(1, 2))
    totals = np.sum(values, axis=(1, 2), where=where)
    return np.divide(totals, counts, out=np.full(len(values), np.nan), where=counts > 0)


def _windows(values: np.ndarray) -> np.ndarray:
    """The Gaussian average of every window within images `[N, H, W, C]`: 10 pixels less a side."""
    places = np.arange(SSIM_SIDE) - SSIM_SIDE // 2
    weights = np.exp(-0.5 * (places / _DEVIATION) ** 2)
    weights /= weights.sum()
    for axis in (1, 2):
        inside = [slice(None)] * 4
        inside[axis] = slice(SSIM_SIDE // 2, -(SSIM_SIDE // 2))
        values = ndimage.correlate1d(values, weights, axis=axis)[tuple(inside)]
    return values
