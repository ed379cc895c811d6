import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from icm_jax import objectives

LOSSES = jnp.array([1.0, 3.0, 5.0, 2.0])
GROUP = jnp.array([0, 0, 2, 0])


def test_means_and_counts_of_groups():
    means, counts = objectives.group_means(LOSSES, GROUP, 4)
    # (1 + 3 + 2) / 3, nothing, 5 / 1, nothing.
    np.testing.assert_allclose(means, [2, 0, 5, 0])
    np.testing.assert_allclose(counts, [3, 0, 1, 0])


def test_group_dro_raises_the_weight_of_a_high_loss():
    weights = jnp.array([0.5, 0.25, 0.25])
    # A step of ln 2: 0.5 * 2^1, 0.25 * 2^3 and, without an example, 0.25.
    made = objectives.group_dro_weights(
        weights, jnp.array([1.0, 3.0, 9.0]), jnp.array([2.0, 1.0, 0.0]), float(np.log(2))
    )
    np.testing.assert_allclose(made, np.array([1.0, 2.0, 0.25]) / 3.25, rtol=1e-6)
    same = objectives.group_dro_weights(weights, jnp.ones(3), jnp.ones(3), 0.0)
    np.testing.assert_allclose(same, weights)


def test_weighted_groups_is_the_weighted_mean_of_means():
    means, counts = objectives.group_means(LOSSES, GROUP, 3)
    weights = jnp.array([0.2, 0.5, 0.3])
    value, gradient = jax.value_and_grad(objectives.weighted_groups)(LOSSES, GROUP, weights, counts)
    np.testing.assert_allclose(value, 0.2 * 2 + 0.3 * 5)
    np.testing.assert_allclose(gradient, [0.2 / 3, 0.2 / 3, 0.3, 0.2 / 3], rtol=1e-6)


@pytest.fixture(scope="module")
def scores():
    return jax.random.normal(jax.random.key(0), (6, 3)), jnp.array([0, 1, 2, 2, 1, 0])


def plain_penalty(logits, labels, environment, environments):
    """The penalty as it is defined: by a gradient for every environment."""
    total = 0.0
    for e in range(environments):
        here = np.flatnonzero(np.asarray(environment) == e)

        def risk(scale, here=here):
            return optax.softmax_cross_entropy_with_integer_labels(
                scale * logits[here], labels[here]
            ).mean()

        total += jax.grad(risk)(1.0) ** 2
    return total


def test_irm_penalty_is_the_squared_gradient_of_a_scale(scores):
    logits, labels = scores
    environment = jnp.array([0, 0, 0, 1, 1, 1])
    _, penalty = objectives.irm_penalty(logits, labels, environment, 2)
    np.testing.assert_allclose(penalty, plain_penalty(logits, labels, environment, 2), rtol=1e-5)
    gradient = jax.grad(lambda x: objectives.irm_penalty(x, labels, environment, 2)[0])(logits)
    expected = jax.grad(lambda x: plain_penalty(x, labels, environment, 2))(logits)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_irm_penalty_over_devices_is_that_of_the_whole_batch(scores):
    logits, labels = scores
    environment = jnp.array([0, 1, 1, 0, 1, 0])
    shares = [x.reshape(2, 3, *x.shape[1:]) for x in (logits, labels, environment)]

    def share(logits, labels, environment):
        def value(x):
            return objectives.irm_penalty(x, labels, environment, 2, "devices")

        gradient, penalty = jax.grad(value, has_aux=True)(logits)
        return gradient, penalty

    gradient, penalty = jax.vmap(share, axis_name="devices")(*shares)
    expected = jax.grad(lambda x: plain_penalty(x, labels, environment, 2))(logits)
    np.testing.assert_allclose(gradient.reshape(6, 3), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(penalty, [plain_penalty(logits, labels, environment, 2)] * 2, 1e-5)


def test_triplets_by_hand():
    positive = jnp.array([[0.0, 0.0], [1.0, 0.0]])
    negative = jnp.array([[0.0, 0.5], [3.0, 0.0]])
    made = objectives.triplet_losses(positive, negative, 0.3)
    # i = 0: |p0-p0| = 0, |p0-n0| = 0.25; |p0-p1| = 1, |p1-n0| = 1.25.
    # i = 1: |p1-p0| = 1, |p0-n1| = 9; |p1-p1| = 0, |p1-n1| = 4.
    np.testing.assert_allclose(made, [[0.05, 0.05], [0.0, 0.0]], atol=1e-6)
    # The other way round the margin is violated: 0.3 + 9 - 0.25 where i = 0 and j = 1.
    swapped = objectives.triplet_losses(negative, positive, 0.3)
    far = 3.0**2 + 0.5**2
    np.testing.assert_allclose(swapped[0], [0.3 - 0.25, 0.3 + far - 9], rtol=1e-5)


ONE, TWO, TABLE = jnp.ones(1), jnp.ones(2), jnp.ones((2, 2))
FIRST = jnp.zeros(2, jnp.int32)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (objectives.group_means, (TABLE, FIRST, 1)),
        (objectives.group_means, (TABLE, jnp.zeros((2, 2), jnp.int32), 1)),
        (objectives.group_means, (ONE, FIRST, 1)),
        (objectives.group_dro_weights, (TABLE, TABLE, TABLE, 1.0)),
        (objectives.group_dro_weights, (TWO, ONE, TWO, 1.0)),
        (objectives.group_dro_weights, (TWO, TWO, ONE, 1.0)),
        (objectives.weighted_groups, (TABLE, FIRST, TWO, TWO)),
        (objectives.weighted_groups, (ONE, FIRST, TWO, TWO)),
        (objectives.weighted_groups, (TWO, FIRST, TWO, ONE)),
        (objectives.weighted_groups, (TWO, FIRST, TABLE, TABLE)),
        (objectives.irm_penalty, (TWO, FIRST, FIRST, 1)),
        (objectives.irm_penalty, (TABLE, FIRST[:1], FIRST, 1)),
        (objectives.irm_penalty, (TABLE, FIRST, FIRST[:1], 1)),
        (objectives.irm_penalty, (TABLE, FIRST, FIRST[:, None], 1)),
        (objectives.triplet_losses, (TWO, TWO, 0.3)),
        (objectives.triplet_losses, (TABLE, TABLE[:1], 0.3)),
    ],
)
def test_wrong_shapes_are_refused(function, arguments):
    with pytest.raises(AssertionError, match=r"\[Chex\]"):
        function(*arguments)
