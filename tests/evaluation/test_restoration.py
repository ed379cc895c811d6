import numpy as np
import pytest

from icm_jax.evaluation import restoration


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


def test_group_mean():
    means = restoration.group_mean(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 2]), 3)
    # (1 + 3) / 2, nothing, 5 / 1.
    np.testing.assert_array_equal(means, [2, np.nan, 5])


def test_group_mean_of_right_and_wrong_is_an_accuracy():
    correct = np.array([True, False, True, True])
    np.testing.assert_array_equal(restoration.group_mean(correct, np.zeros(4, int), 1), [0.75])


def test_group_mean_refuses_a_group_out_of_range():
    with pytest.raises(ValueError, match="group"):
        restoration.group_mean(np.ones(2), np.array([0, 2]), 2)
