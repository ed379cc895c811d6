import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.counterfactual import losses


def test_least_squares():
    np.testing.assert_allclose(losses.least_squares(jnp.array([1.0, 0.0, -2.0]), 1.0), [0, 1, 9])


def test_hinge():
    scores = jnp.array([2.0, 0.5, -3.0])
    adversarial = losses.ADVERSARIAL["hinge"]
    np.testing.assert_allclose(adversarial.real(scores), [0, 0.5, 4])
    np.testing.assert_allclose(adversarial.made(scores), [3, 1.5, 0])
    np.testing.assert_allclose(adversarial.fooling(scores), -scores)


def test_least_squares_of_both_players():
    scores = jnp.array([2.0, 0.5, -3.0])
    adversarial = losses.ADVERSARIAL["least_squares"]
    for loss in (adversarial.real, adversarial.fooling):
        np.testing.assert_allclose(loss(scores), [1, 0.25, 16])
    np.testing.assert_allclose(adversarial.made(scores), [4, 0.25, 9])


def test_cross_entropies_of_both_players():
    chance = np.array([0.75, 0.5, 0.1])
    scores = jnp.array(np.log(chance / (1 - chance)))
    adversarial = losses.ADVERSARIAL["cross_entropy"]
    for loss in (adversarial.real, adversarial.fooling):
        np.testing.assert_allclose(loss(scores), -np.log(chance), rtol=1e-6)
    np.testing.assert_allclose(adversarial.made(scores), -np.log(1 - chance), rtol=1e-5)


def test_mask_entropy_is_in_bits():
    masks = jnp.array([[0.5, 0.5], [0.25, 0.5], [1e-4, 0.9999]]).reshape(3, 1, 2, 1)
    # Of a quarter: 1/4 log2 4 + 3/4 log2 4/3 = 2 - 3/4 log2 3. Of 0.0001 and 0.9999: nearly 0.
    quarter = 2 - 0.75 * np.log2(3)
    found = losses.mask_entropy(masks)
    np.testing.assert_allclose(found, [1, (quarter + 1) / 2, 0.001473], atol=1e-5)


def test_mask_edge_is_the_share_of_the_frame():
    masks = jnp.stack([jnp.ones((32, 32, 1)), jnp.zeros((32, 32, 1)).at[3:-3, 3:-3].set(1)])
    masks = jnp.concatenate([masks, jnp.zeros((1, 32, 32, 1)).at[0, 2, 16].set(0.5)])
    expected = [1 - 26**2 / 32**2, 0, 0.5 / 32**2]
    np.testing.assert_allclose(losses.mask_edge(masks), expected, atol=1e-6)


def test_a_wider_frame_fades_out():
    # Pixels in a row, the third of which is the frame's last; the frame fades over 4 further ones.
    rows = jnp.zeros((6, 32, 32, 1)).at[jnp.arange(6), 16, jnp.array([2, 3, 4, 5, 6, 29])].set(1)
    expected = np.array([1, 0.75, 0.5, 0.25, 0, 1]) / 32**2
    np.testing.assert_allclose(losses.mask_edge(rows, jnp.float32(4)), expected, atol=1e-7)


# Two places, two channels: (1, 2) and (3, 4).
FEATURES = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)
# 1 * 1 + 3 * 3, 1 * 2 + 3 * 4, 2 * 2 + 4 * 4, by 2 * 2
GRAM = np.array([[10, 14], [14, 20]]) / 4


def test_gram_by_hand():
    np.testing.assert_allclose(losses.gram(FEATURES), GRAM[None])
    # Where things are makes no difference.
    np.testing.assert_allclose(losses.gram(FEATURES[:, :, ::-1]), GRAM[None])


def test_gram_distance_by_hand():
    ours = [FEATURES, 2 * FEATURES]
    theirs = [jnp.zeros_like(FEATURES), FEATURES]
    # The first layer is off by GRAM, the second by 4 GRAM - GRAM; the mean of GRAM is 58 / 16.
    mean = 58 / 16
    found = losses.gram_distance(ours, theirs, (0.1, 0.02))
    np.testing.assert_allclose(found, [5e3 * (0.1**2 * mean + 0.02**2 * 3 * mean)], rtol=1e-6)
    # A layer without weight does not count, nor one that is not there.
    found = losses.gram_distance(ours, theirs, (0, 0.02))
    np.testing.assert_allclose(found, [5e3 * 0.02**2 * 3 * mean], rtol=1e-6)
    found = losses.gram_distance(ours[:1], theirs[:1], (0.1, 0))
    np.testing.assert_allclose(found, [5e3 * 0.1**2 * mean], rtol=1e-6)


def test_there_is_a_loss_for_each_image():
    key = jax.random.key(0)
    mask = jax.random.uniform(key, (3, 32, 32, 1), minval=0.01, maxval=0.99)
    ours, theirs = jax.random.normal(key, (2, 3, 4, 4, 2))
    for loss, arguments in (
        (losses.mask_entropy, (mask,)),
        (losses.mask_edge, (mask,)),
        (losses.least_squares, (mask[:, 0, 0, 0], 1.0)),
        (lambda x, y: losses.gram_distance([x], [y], (0.1,)), (ours, theirs)),
    ):
        whole = loss(*arguments)
        assert whole.shape == (3,)
        one = loss(*(a[1:2] if isinstance(a, jax.Array) else a for a in arguments))
        np.testing.assert_allclose(whole[1:2], one, rtol=1e-5)


def test_other_ranks_are_refused():
    for loss in (losses.mask_entropy, losses.mask_edge, losses.gram):
        with pytest.raises(AssertionError):
            loss(jnp.full((4, 4, 1), 0.5))
    with pytest.raises(AssertionError):
        losses.least_squares(jnp.zeros((3, 1)), 1.0)
