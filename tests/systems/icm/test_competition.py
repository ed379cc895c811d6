import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from icm_jax.systems.icm import competition
from icm_jax.systems.icm.competition import ExpertOutputs, KeyedImages
from icm_jax.systems.icm.networks.discriminators import ConvDiscriminator
from icm_jax.systems.icm.networks.experts import ConvExpert

EXPERTS, BATCH = 4, 6
EXPERT = ConvExpert(filters=3, layers=2)
DISCRIMINATOR = ConvDiscriminator(stages=((3,), (4,)), hidden=5)


def expert(own, batch):
    variables = dict(zip(("params", "batch_stats"), own, strict=True))
    return ExpertOutputs(EXPERT.apply(variables, batch.images, "given"), None)


def price(score):
    return lambda outputs: competition.canonical_loss(score(outputs))


@pytest.fixture(scope="module")
def setting():
    """(score, (params, statistics), images) of four random experts on six random images."""
    images = jax.random.uniform(jax.random.key(1), (BATCH, 8, 8, 1))
    keys = jax.random.split(jax.random.key(2), EXPERTS)
    variables = jax.jit(jax.vmap(lambda k: EXPERT.init(k, images)))(keys)
    statistics = jax.tree.map(lambda t: t + 0.1, variables["batch_stats"])
    discriminator = jax.jit(DISCRIMINATOR.init)(jax.random.key(3), images)
    score = functools.partial(DISCRIMINATOR.apply, discriminator)
    return score, (variables["params"], statistics), images


@pytest.fixture(scope="module")
def gradient(setting):
    """winner [B] -> the gradients of parameters and statistics as training computes them."""
    score, experts, images = setting

    @jax.jit
    def compute(winner):
        wins = competition.winners(jax.nn.one_hot(winner, EXPERTS, axis=0))

        def loss(experts):
            batch = KeyedImages(images)
            return competition.winners_loss(expert, price(score), experts, batch, wins)

        return jax.grad(loss)(experts)

    return lambda winner: compute(jnp.array(winner))


@pytest.fixture(scope="module")
def masked_gradient(setting):
    """A plain loop: each expert on all images, the losses of those it did not win masked out."""
    score, experts, images = setting

    @jax.jit
    def one(one_expert, won):
        def loss(one_expert):
            outputs = expert(one_expert, KeyedImages(images)).outputs
            losses = jnp.log1p(jnp.exp(-score(outputs)))
            return (won * losses).sum() / jnp.maximum(won.sum(), 1)

        return jax.grad(loss)(one_expert)

    def compute(winner):
        gradients = [
            one(jax.tree.map(lambda t, e=e: t[e], experts), jnp.array(winner) == e)
            for e in range(EXPERTS)
        ]
        return jax.tree.map(lambda *g: jnp.stack(g), *gradients)

    return compute


SPLITS = {
    "each its own": [0, 1, 2, 3, 0, 1],
    "all to one": [2] * BATCH,
    "odd counts and an idle expert": [1, 1, 1, 3, 0, 3],
}


def test_the_winner_has_the_highest_score_and_the_first_of_equals_wins():
    scores = jnp.array([[1.0, 5.0, 2.0], [3.0, 5.0, 1.0]])
    wins = competition.winners(scores)
    chex.assert_trees_all_equal(wins.winner, jnp.array([1, 0, 0]))
    chex.assert_trees_all_equal(wins.onehot, jnp.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    chex.assert_trees_all_equal(wins.count, jnp.array([2.0, 1.0]))


def test_losses_by_hand():
    # D(x) = sigmoid(log 3) = 3/4: -log 3/4 and -log 1/4.
    logit = jnp.log(3.0)
    np.testing.assert_allclose(competition.canonical_loss(logit), np.log(4 / 3), rtol=1e-6)
    np.testing.assert_allclose(competition.expert_output_loss(logit), np.log(4), rtol=1e-6)
    np.testing.assert_allclose(competition.squared_loss(logit), 1 / 16, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "canonical", "expert_output"),
    [
        # D = 1/4, 1/2, 3/4.
        ("log", np.log([4, 2, 4 / 3]), np.log([4 / 3, 2, 4])),
        # 1 - log 1/3, 1 - 0, none above 1; none below -1, 1 + 0, 1 + log 3.
        ("hinge", [1 + np.log(3), 1, 0], [0, 1, 1 + np.log(3)]),
        (
            "least_squares",
            [(np.log(3) + 1) ** 2 / 2, 1 / 2, (np.log(3) - 1) ** 2 / 2],
            [np.log(3) ** 2 / 2, 0, np.log(3) ** 2 / 2],
        ),
    ],
)
def test_discriminator_losses_by_hand(name, canonical, expert_output):
    logits = jnp.array([-np.log(3), 0.0, np.log(3)])
    losses = competition.DISCRIMINATOR_LOSSES[name]
    np.testing.assert_allclose(losses.canonical(logits), canonical, rtol=1e-6)
    np.testing.assert_allclose(losses.expert_output(logits), expert_output, rtol=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
def test_discriminator_losses_are_an_argument(parts):
    # Least squares. Outputs of two experts on two images have the logits 0, 2, 4, 2: the mean of
    # 0, 2, 8, 2 is 3; canonical images have 3, which costs 2. A logit is the parameter times the
    # image, so its gradient is the mean of 0, 4, 16, 4, which is 6, and 2 * 3 of canonical images.
    outputs, canonical = jnp.array([[0.0, 2.0], [4.0, 2.0]]), jnp.full(2, 3.0)
    loss, _, _, gradient = competition.discriminator_gradient(
        lambda factor, images: factor * images,
        1.0,
        outputs,
        canonical,
        parts=parts,
        losses=competition.DISCRIMINATOR_LOSSES["least_squares"],
    )
    assert (loss, gradient) == (3 + 2, 6 + 6)


@pytest.mark.parametrize("parts", [1, 2])
def test_discriminator_loss_and_gradient_by_hand(parts):
    # Outputs of two experts on two images, D = 1/2, 3/4, 1/2, 1/4: the mean of log 2, log 4,
    # log 2, log 4/3; one canonical image, twice, with D = 3/4: log 4/3. A logit is the parameter
    # times the image, so its gradient is D times an output, and -1/4 times a canonical image.
    log3 = np.log(3)
    outputs = jnp.array([[0.0, log3], [0.0, -log3]])
    loss, scores, canonical_scores, gradient = competition.discriminator_gradient(
        lambda factor, images: factor * images, 1.0, outputs, jnp.full(2, log3), parts=parts
    )
    expected = (np.log(2) + np.log(4) + np.log(2) + np.log(4 / 3)) / 4 + np.log(4 / 3)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    expected = (3 / 4 * log3 - 1 / 4 * log3) / 4 - 1 / 4 * log3
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
    np.testing.assert_array_equal(scores, outputs)
    np.testing.assert_array_equal(canonical_scores, jnp.full(2, log3))


@pytest.mark.parametrize("winner", SPLITS.values(), ids=SPLITS.keys())
def test_gathered_winners_have_the_gradient_of_masked_losers(gradient, masked_gradient, winner):
    expected = masked_gradient(winner)
    chex.assert_trees_all_close(gradient(winner), expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_reaches_winners_and_nobody_else(gradient):
    gradients = gradient([1, 1, 1, 3, 0, 3])
    largest = jax.tree.map(lambda g: jnp.abs(g).reshape(EXPERTS, -1).max(axis=1), gradients)
    largest = np.max(jax.tree.leaves(largest), axis=0)
    assert largest[2] == 0
    assert (largest[[0, 1, 3]] > 0).all()


def test_an_expert_that_won_nothing_keeps_parameters_and_optimizer_state():
    optimizer = optax.adam(0.1)
    params = {"w": jnp.ones((3, 2))}
    state = jax.vmap(optimizer.init)(params)
    gradients = {"w": jnp.ones((3, 2))}
    won = jnp.array([True, False, True])
    new_params, new_state = competition.update_won(optimizer, gradients, state, params, won)
    # Adam's first step is the learning rate against the sign of the gradient.
    np.testing.assert_allclose(new_params["w"][:, 0], [0.9, 1.0, 0.9], rtol=1e-5)
    chex.assert_trees_all_equal(new_state[0].count, jnp.array([1, 0, 1]))
    chex.assert_trees_all_equal(new_state[0].mu["w"][1], jnp.zeros(2))
    # Idle again after others moved: still untouched, moments do not decay.
    newer_params, newer_state = competition.update_won(
        optimizer, gradients, new_state, new_params, ~won
    )
    chex.assert_trees_all_equal(newer_params["w"][0], new_params["w"][0])
    chex.assert_trees_all_equal(newer_state[0].mu["w"][0], new_state[0].mu["w"][0])


def made(experts=2, images=3, penalties=(2, 3)):
    return ExpertOutputs(jnp.zeros((experts, images, 4, 4, 1)), jnp.zeros(penalties))


def wins_of(experts=2, images=3):
    return competition.winners(jnp.zeros((experts, images)))


def loss_of(images=3, keys=3, experts=2, sides=(4, 4, 1)):
    batch = KeyedImages(jnp.zeros((images, *sides)), jax.random.split(jax.random.key(0), keys))
    return competition.winners_loss(
        lambda own, batch: ExpertOutputs(batch.images, None),
        lambda outputs: outputs.mean((1, 2, 3)),
        jnp.zeros((experts, 5)),
        batch,
        wins_of(),
    )


def updated(gradients=(2, 5), won=(2,), rate=()):
    optimizer, params = optax.adam(0.1), jnp.zeros((2, 5))
    state = jax.vmap(optimizer.init)(params)
    gradients, won, rate = jnp.zeros(gradients), jnp.zeros(won, bool), jnp.zeros(rate)
    return competition.update_won(optimizer, gradients, state, params, won, rate)


def gradient_of(made, wins):
    return competition.winner_gradient(lambda outputs: outputs.mean((1, 2, 3)), made, wins)


@pytest.mark.parametrize(
    ("call", "right", "wrong"),
    [
        (competition.winners, [jnp.zeros((2, 3))], [jnp.zeros((2, 3, 1))]),
        (gradient_of, [made(), wins_of()], [made(), wins_of(images=4)]),
        (gradient_of, [made(), wins_of()], [made(penalties=(2, 1)), wins_of()]),
        (
            gradient_of,
            [made(), wins_of()],
            [ExpertOutputs(jnp.zeros((2, 3, 4, 4)), None), wins_of()],
        ),
        (loss_of, [], [3, 4]),
        (loss_of, [], [4, 4]),
        (loss_of, [], [3, 3, 4]),
        (loss_of, [], [3, 3, 2, (4, 4)]),
        (competition.with_penalties, [jnp.zeros(3), None], [jnp.zeros((2, 3)), jnp.zeros(3)]),
        (updated, [], [(2, 5), (3,)]),
        (updated, [], [(2, 5), (2, 1)]),
        (updated, [], [(2, 1)]),
        (updated, [], [(2, 5), (2,), (2,)]),
    ],
)
def test_other_shapes_are_refused(call, right, wrong):
    jax.eval_shape(lambda: call(*right))
    with pytest.raises(AssertionError, match="Chex"):
        jax.eval_shape(lambda: call(*wrong))


def test_canonical_images_of_another_number_than_outputs_are_refused():
    with pytest.raises(AssertionError, match="Chex"):
        competition.discriminator_gradient(
            lambda factor, images: factor * images, 1.0, jnp.zeros((2, 3)), jnp.zeros(4)
        )
