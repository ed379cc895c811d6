import numpy as np
import pytest

from icm_jax.systems.icm import restoration


def test_psnr_of_known_errors():
    reference = np.full((3, 2, 2, 1), 0.5, np.float32)
    images = reference.copy()
    images[1] += 0.1  # MSE 0.01 -> 10 log10(100) = 20 dB
    images[2, 0, 0, 0] += 0.2  # MSE 0.04 / 4 = 0.01 -> 20 dB
    # Equal images: capped at 10 log10(1e10) = 100 dB.
    np.testing.assert_allclose(restoration.psnr(images, reference), [100, 20, 20], rtol=1e-5)


def test_psnr_of_opposite_images_is_zero():
    # MSE 1 -> 10 log10(1) = 0 dB.
    zeros, ones = np.zeros((1, 2, 2, 3)), np.ones((1, 2, 2, 3))
    np.testing.assert_array_equal(restoration.psnr(zeros, ones), [0])


def test_psnr_refuses_bytes_and_other_shapes():
    # Differences of bytes wrap around.
    with pytest.raises(AssertionError):
        restoration.psnr(np.zeros((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 2, 1), np.uint8))
    with pytest.raises(AssertionError):
        restoration.psnr(np.zeros((2, 2, 2, 1)), np.zeros((1, 2, 2, 1)))


def test_psnr_of_the_pixels_that_count():
    reference = np.zeros((2, 2, 2, 3))
    images = reference.copy()
    images[:, 0, 0] = 0.1  # MSE 0.01 -> 20 dB
    images[:, 1, 1] = 0.9
    where = np.zeros((2, 2, 2), bool)
    where[0, 0, 0] = True
    np.testing.assert_allclose(restoration.psnr(images, reference, where), [20, np.nan])
    with pytest.raises(AssertionError):
        restoration.psnr(images, reference, where[..., None])


def waves():
    """Two images of 20 x 24 pixels, float64 `[H, W]`."""
    y, x = np.mgrid[:20, :24]
    a = 0.5 + 0.5 * np.sin(0.7 * x + 0.3 * y)
    return a, np.clip(0.8 * a + 0.1 * np.cos(1.1 * y), 0, 1)


def test_ssim_of_even_images_is_that_of_their_brightness():
    # No variance: (2 * 0.5 * 0.25 + 1e-4) / (0.25 + 0.0625 + 1e-4) = 0.2501 / 0.3126.
    images = np.full((2, 11, 12, 1), 0.5)
    reference = np.stack([images[0], images[0] / 2])
    left = np.ones((2, 11, 12), bool)
    left[:, :, 7:] = False
    for where in (None, left):
        found = restoration.ssim(images, reference, where)
        np.testing.assert_allclose(found, [1, 0.2501 / 0.3126])


def test_ssim_of_waves_is_that_of_another_implementation():
    a, b = waves()
    images, reference = np.stack([a, a])[..., None], np.stack([b, 1 - a])[..., None]
    # scikit-image 0.26, structural_similarity with gaussian_weights=True, sigma=1.5,
    # use_sample_covariance=False, data_range=1.
    expected = [0.9227038203275275, -0.766486261557579]
    np.testing.assert_allclose(restoration.ssim(images, reference), expected, rtol=1e-9)
    # Likewise of three channels.
    images, reference = np.stack([a, b, a * b], -1)[None], np.stack([b, a, a * a], -1)[None]
    np.testing.assert_allclose(restoration.ssim(images, reference), [0.9291988435627371], rtol=1e-9)


def test_ssim_with_a_mask_sees_nothing_else():
    a, b = waves()
    images, reference = a[None, ..., None], b[None, ..., None]
    everywhere = np.ones((1, 20, 24), bool)
    np.testing.assert_allclose(
        restoration.ssim(images, reference, everywhere), restoration.ssim(images, reference)
    )
    left = everywhere.copy()
    left[:, :, 12:] = False
    found = restoration.ssim(images, reference, left)
    spoilt = images.copy()
    spoilt[:, :, 12:] = 0
    np.testing.assert_allclose(restoration.ssim(spoilt, reference, left), found)
    assert abs(restoration.ssim(spoilt, reference) - found) > 0.1
    # One window of pixels that count, where equal.
    same = np.where(left[..., None], reference, images)
    np.testing.assert_allclose(restoration.ssim(same, reference, left), [1])
    assert np.isnan(restoration.ssim(images, reference, ~everywhere))


def test_ssim_needs_a_window():
    with pytest.raises(AssertionError, match="SSIM needs 11 pixels"):
        restoration.ssim(np.zeros((1, 10, 20, 1)), np.zeros((1, 10, 20, 1)))


def test_variation_is_the_mean_distance_of_two_images():
    # Pairs of even images 0, 0.3 and 0.9: 0.3, 0.6 and 0.9 apart, 0.6 on average.
    images = np.array([0, 0.3, 0.9])[:, None, None, None] * np.ones((1, 4, 5, 3))
    assert restoration.variation(images) == pytest.approx(0.6)
    assert restoration.variation(images[:1].repeat(3, axis=0)) == 0
    # One pixel of four differs by 0.4: the root of 0.16 / 4.
    images = np.zeros((2, 2, 2, 1))
    images[0, 0, 0] = 0.4
    assert restoration.variation(images) == pytest.approx(0.2)
    assert np.isnan(restoration.variation(images[:1]))
    with pytest.raises(AssertionError):
        restoration.variation(np.zeros((2, 2, 2, 1), np.uint8))
