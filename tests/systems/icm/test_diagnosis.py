import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import experiment
from icm_jax.systems.icm import diagnosis, restore
from icm_jax.systems.icm.diagnosis import LEFT, Scored
from icm_jax.systems.icm.restoration import psnr

# Four images of one pixel and of values 0, 0.1, 0.2, 0.3; expert e makes e + 1 of each.
IMAGES = (np.arange(4, dtype=np.float32) / 10)[:, None, None, None]
OUTPUTS = np.tile(np.float32([1, 2, 3])[:, None, None, None, None], (1, 4, 1, 1, 1))
LOGITS = np.float32([[0, 5, -1, 1], [2, 4, -2, 1], [1, 0, -3, -9]])
OWN = np.float32([-9, -9, 3, 1])
KINDS = ("invert", "noise", "noise")


def diagnosed(leave):
    scored = Scored(OUTPUTS, LOGITS, OWN)
    return diagnosis.diagnose(scored, IMAGES, KINDS, np.array([4, 6, 9]), leave)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.float32(x)))


def test_images_are_restored_or_left_by_hand_made_scores():
    found = diagnosed(leave=True)
    # Expert 1 (called 6) wins image 0 and expert 0 image 1; image 2 itself scores best; of the
    # equal scores of image 3 that of the first expert counts.
    assert found.expert.tolist() == [6, 4, LEFT, 4]
    assert found.mechanism.tolist() == ["noise", "invert", "none", "invert"]
    np.testing.assert_allclose(found.images.ravel(), [2, 1, 0.2, 1])
    np.testing.assert_allclose(found.score, sigmoid([2, 5, 3, 1]), rtol=1e-6)
    np.testing.assert_allclose(found.untouched, sigmoid(OWN), rtol=1e-6)
    # Ahead of the best of another kind: noise (2) of inversion (0), though expert 2 has noise
    # as well; 5 - 4; 3 + 1; nothing.
    np.testing.assert_allclose(found.confidence, sigmoid([2, 1, 4, 0]), rtol=1e-6)


def test_without_leave_experts_alone_compete():
    found = diagnosed(leave=False)
    assert found.expert.tolist() == [6, 4, 4, 4]
    np.testing.assert_allclose(found.images.ravel(), [2, 1, 1, 1])
    np.testing.assert_allclose(found.confidence, sigmoid([2, 1, 1, 0]), rtol=1e-6)


def test_experts_must_be_ahead_by_the_lead():
    scored = Scored(OUTPUTS, LOGITS, OWN)
    # The best experts are ahead by 11, 14, -4 and 0.
    leads = [diagnosis.lead_of(scored, share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert leads == [0, 0, 11, 14, 14]
    found = diagnosis.diagnose(scored, IMAGES, KINDS, np.arange(3), lead=11.5)
    assert found.expert.tolist() == [LEFT, 0, LEFT, LEFT]
    # Scores are what the discriminator says; 2 is half below the image's lead of 2.5.
    np.testing.assert_allclose(found.score, sigmoid([-9, 5, 3, 1]), rtol=1e-6)
    assert found.confidence[0] == pytest.approx(sigmoid(0.5))


def test_margins_of_one_kind_are_sure():
    assert np.isinf(diagnosis.margins(LOGITS, ["noise"] * 3)).all()
    np.testing.assert_array_equal(diagnosis.margins(LOGITS, KINDS), [2, 1, 1, 0])
    assert diagnosis.confidence(np.float32([0, np.inf])).tolist() == [0.5, 1]


def test_experts_are_called_by_what_they_win_most():
    wins = np.array([[0.9, 0.1, 0, 0], [0, 0.995, 0.005, 0]])
    names = diagnosis.name_experts(wins, ["up", "noise"])
    assert names == ("up", "noise", "unknown", "unknown")


def test_what_does_not_fit_is_refused():
    scored = Scored(OUTPUTS, LOGITS, OWN)
    for images, kinds in ((IMAGES[:3], KINDS), (IMAGES, KINDS[:2])):
        with pytest.raises(AssertionError):
            diagnosis.diagnose(scored, images, kinds, np.arange(3))
    with pytest.raises(AssertionError):
        diagnosis.margins(LOGITS, KINDS[:2])


@pytest.fixture(scope="module")
def restorer(tmp_path_factory):
    """Of a run that took no step."""
    workdir = tmp_path_factory.mktemp("run")
    config = tiny.icm()
    config.classifier.steps = config.initialization.steps = config.competition.steps = 0
    experiment.run(config, workdir, data=tiny.splits())
    return restore.load(workdir)


def test_canonical_images_are_left_after_calibration(restorer):
    images = tiny.splits().train.images
    for share in (0.5, 0.9, 1.0):
        found = restorer.calibrate(images, share).diagnose(images)
        assert (found.expert == LEFT).mean() >= share - 1 / len(images)
    with pytest.raises(ValueError, match="share: 1.5 is not allowed"):
        restorer.calibrate(images, 1.5)


def test_a_finished_run_diagnoses_as_it_restores(restorer):
    images = np.concatenate([split.images for split in tiny.splits()])
    restored, found = restorer(images), restorer.diagnose(images, leave=False)
    np.testing.assert_array_equal(found.expert, restored.expert)
    np.testing.assert_allclose(found.images, restored.images, atol=1e-6)
    np.testing.assert_allclose(found.score, restored.score, rtol=1e-5)
    left = restorer.diagnose(images)
    assert left.mechanism.shape == (52,) and left.confidence.min() >= 0.5
    own = left.expert == LEFT
    assert (psnr(left.images[own], images[own] / np.float32(255)) == 100).all()
    np.testing.assert_array_equal(own, left.untouched > restored.score)
    logits = jax.jit(restorer.model.logits)(
        restorer.state.discriminator.params, jnp.asarray(images / np.float32(255))
    )
    np.testing.assert_allclose(left.untouched, sigmoid(logits), rtol=1e-5)
