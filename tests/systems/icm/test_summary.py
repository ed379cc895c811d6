"""What is said of restored images, from arrays made up for it."""

import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import default_config, mechanisms
from icm_jax.systems.icm.evaluation import EvaluatedImages
from icm_jax.systems.icm.summary import (
    find_untouched,
    mean_ssim,
    measure_kept,
    summarize,
    summarize_passed,
)

NAMES = ("a", "b")
MECHANISM = np.array([0, 1, 0, 1])


def found(transformed, restored, originals=None):
    return EvaluatedImages(originals, transformed, restored, np.zeros((4, 2)), MECHANISM, None)


def even(*values, side=12):
    return np.asarray(values, float)[:, None, None, None] * np.ones((1, side, side, 1))


def test_a_judge_lets_fractions_pass():
    passed = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    kinds = ("canonical", "transformed", "restored")
    assert summarize_passed(NAMES, MECHANISM, passed, kinds, 0.9) == {
        "canonical": 0.9,
        "transformed": 0.25,
        "restored": 0.75,
        "per_mechanism": {
            "a": {"transformed": 0.5, "restored": 1.0},
            "b": {"transformed": 0.0, "restored": 0.5},
        },
    }


def test_what_a_judge_says_and_pixels_to_keep_have_the_shape_of_the_images():
    kinds = ("canonical", "transformed", "restored")
    for passed in (np.zeros((3, 3), bool), np.zeros((4, 2), bool)):
        with pytest.raises(AssertionError, match="Chex"):
            summarize_passed(NAMES, MECHANISM, passed, kinds, 0.9)
    images = even(0.5, 0.5, 0.5, 0.5)
    for where in (np.ones((3, 12, 12), bool), np.ones((2, 12, 11), bool)):
        with pytest.raises(AssertionError, match="Chex"):
            measure_kept(NAMES, MECHANISM, found(images, images), where)


def test_psnr_of_what_experts_saw_stands_beside_that_of_what_they_made():
    originals = even(0.5, 0.5, 0.5, 0.5)
    # Errors of 0.1 and 0.01 are 20 and 40 dB.
    made = found(originals + 0.1, originals + 0.01, originals)
    summary = summarize(NAMES, MECHANISM, made, np.zeros((2, 2, 1)), {}).summary
    assert summary["psnr"] == pytest.approx({"a": 40, "b": 40})
    assert summary["psnr_transformed"] == pytest.approx({"a": 20, "b": 20})
    assert summary["accuracy"] is None


def test_variation_is_measured_within_a_mechanism():
    # Mechanism a: 0.2 and 0.6; b: 0 and 0.2. So 0.4 and 0.2 apart, though all four are farther.
    seen, collapsed = even(0.2, 0.0, 0.6, 0.2), even(0.5, 0.5, 0.5, 0.6)
    made = found(seen, collapsed)
    summary = summarize(NAMES, MECHANISM, made, np.zeros((2, 2, 1)), {}).summary
    assert summary["variation"] == pytest.approx({"transformed": 0.3, "restored": 0.05})
    assert summary["psnr"] is None and summary["psnr_transformed"] is None


def test_what_is_kept_is_measured_where_nothing_was_to_change():
    where = np.zeros((2, 12, 12), bool)
    where[0, :, :6] = True  # mechanism a changes the right half, b everything
    seen = even(0.5, 0.5, 0.5, 0.5)
    made = seen.copy()
    made[:, :, :6] += 0.1
    made[:, :, 6:] = 0
    kept = measure_kept(NAMES, MECHANISM, found(seen, made), where)
    assert kept["psnr"] == {"a": pytest.approx(20), "b": None}
    # Even images of 0.5 and 0.6 differ in luminance alone: 2 * 0.3 / (0.25 + 0.36), nearly.
    assert kept["ssim"]["a"] == pytest.approx(0.6 / 0.61, abs=1e-3) and kept["ssim"]["b"] is None
    assert measure_kept(NAMES, MECHANISM, found(seen, made), where & False) is None
    assert mean_ssim(kept) == {"kept_ssim": kept["ssim"]["a"]}
    assert mean_ssim(None) == {}
    small = found(even(*seen[:, 0, 0, 0], side=8), even(0.6, 0.6, 0.6, 0.6, side=8))
    assert "ssim" not in measure_kept(NAMES, MECHANISM, small, np.ones((2, 8, 8), bool))


def test_of_groups_all_should_be_kept_and_of_mechanisms_what_they_leave_alone():
    c = tiny.icm()
    c.mechanisms = ("mouth_mask", "invert")
    where = find_untouched(c, 12, 10)
    np.testing.assert_array_equal(where[0], ~mechanisms.region("mouth_mask", 12, 10))
    assert where[0].any() and not where[1].any()
    c = default_config("icm")
    c.data.groups = {"attribute": "light", "canonical": "1", "transformed": ("0", "2", "3")}
    assert find_untouched(c, 4, 5).shape == (3, 4, 5) and find_untouched(c, 4, 5).all()
