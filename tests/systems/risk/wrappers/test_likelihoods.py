"""Losses and predictions of outputs: by hand, by quadrature, and after a fit of planted noise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.risk.wrappers.nets import MLP, close, fit, layer, normal, program, same

from icm_jax.systems.risk import wrappers as risk
from icm_jax.systems.risk.wrappers import likelihoods
from icm_jax.systems.risk.wrappers.network import Seen

KEY = jax.random.key(0)


def inverse_softplus(value):
    return np.log(np.expm1(value))


def seen(output, features=None):
    """What a network of these outputs made; features are ones where they do not matter."""
    output = jnp.asarray(output, jnp.float32)
    return Seen(output, jnp.ones((len(output), 1)) if features is None else features, {})


def constant(*variances):
    """A head that says these variances of inputs whose one feature is 1."""
    return layer([inverse_softplus(np.array(variances) - 1e-6)])


def test_a_gaussian_by_hand():
    # Half of log(8 pi) = 3.2241714 and of 1 / 4.
    nll = program(likelihoods.gaussian_nll)
    close(
        nll(np.float32([1]), np.float32([0]), np.float32([4])), np.float32([1.7370857]), rtol=1e-6
    )


def test_beta_zero_is_the_negative_log_likelihood():
    y, output = normal(0, 5, 3), normal(1, 5, 3)
    variance = np.float32([0.5, 1, 4])

    @program
    def losses(output):
        got = likelihoods.gaussian(0.0).loss(constant(*variance), seen(output), y, KEY)
        spread = jnp.broadcast_to(variance, y.shape)
        said = likelihoods.gaussian(0.0).describe(constant(*variance), seen(output)).aleatoric
        return got, spread, said, likelihoods.gaussian_nll(y, output, said).sum(axis=1)

    got, spread, said, nll = losses(output)
    same(got, nll)
    close(said, spread, rtol=1e-5)
    by_hand = (np.log(2 * np.pi * variance) + (y - output) ** 2 / variance) / 2
    close(got, by_hand.sum(1), rtol=1e-5)


def test_the_variance_begins_with_one():

    @program
    def said(features):
        made = seen(np.zeros((2, 3)), features)
        likelihood = likelihoods.gaussian(0.5)
        return likelihood.describe(likelihood.init(KEY, made), made).aleatoric

    close(said(normal(0, 2, 4)), np.ones((2, 3), np.float32), rtol=2e-6)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_weighs_gradients_by_a_power_of_the_variance(beta):
    """Mean 1, target 4, variance 4: r = -3, of which the NLL's gradients are known."""

    @program
    @functools.partial(jax.grad, argnums=(0, 1))
    def gradient(output, params):
        loss = likelihoods.gaussian(beta).loss(params, seen(output), np.float32([[4]]), KEY)
        return loss.sum()

    of_mean, of_head = gradient(np.float32([[1]]), constant(4))
    # r / v, times v^beta; with beta 1 it is the squared error's.
    close(of_mean, np.float32([[-3 / 4 * 4**beta]]), rtol=1e-5)
    # (1 / v - r^2 / v^2) / 2, times the slope of softplus, which is 1 - exp(-v) there.
    slope = (1 / 4 - 9 / 16) / 2 * (1 - np.exp(-4))
    close(of_head["bias"], np.float32([slope * 4**beta]), rtol=1e-4)


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_the_truth_is_where_the_gradient_is_zero(beta):
    """A linear network, its variance softplus of a line, and targets one sigma up and down."""
    model = risk.mve(MLP((1,)), beta=beta)
    x = np.linspace(-2, 2, 9, dtype=np.float32)[:, None]
    variance = np.logaddexp(0, 1.5 * x + 0.3) + 1e-6
    targets = np.concatenate([2 * x + 1 + sign * np.sqrt(variance) for sign in (-1, 1)])

    @program
    @jax.grad
    def gradient(params):
        variables = {"params": params, "batch_stats": {}, "risk": {}}
        return model.loss(variables, np.concatenate([x, x]), targets, KEY)[0].sum()

    def params(slope, rise):
        return {"network": {"Dense_0": layer([[slope]], [1])}, "likelihood": layer([[rise]], [0.3])}

    at_truth = gradient(params(2, 1.5))
    close(at_truth, jax.tree.map(np.zeros_like, at_truth), atol=1e-4)
    assert abs(gradient(params(2.1, 1.5))["network"]["Dense_0"]["kernel"]) > 0.5
    assert abs(gradient(params(2, 1.6))["likelihood"]["kernel"]) > 0.1


def test_a_fit_finds_how_noisy_the_target_is():
    """y = x + sigma(x) eps with sigma = .1 + |x| and eps of variance 1: -1 and 1 at each x."""
    model = risk.mve(MLP((16, 16, 1)))
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    sigma = 0.1 + abs(x)
    targets = np.concatenate([x - sigma, x + sigma])
    variables = program(model.init)(jax.random.key(1), x)
    fitted = fit(model, variables, np.concatenate([x, x]), targets, steps=800, rate=0.01)
    got = program(model.predict)(fitted, x)
    assert np.sqrt(np.mean(np.log(got.aleatoric / sigma**2) ** 2)) < 0.1
    assert np.sqrt(np.mean((got.prediction - x) ** 2)) < 0.02
    assert got.epistemic is None


def entropy(rate):
    return -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)


def test_a_fit_finds_how_often_labels_are_flipped():
    """Two cells of 20 labels; 1 and 6 of them are flipped."""
    model = risk.mve(MLP((2,)), samples=20, task="classification")
    cells = np.eye(2, dtype=np.float32)
    labels = np.concatenate([np.arange(20) < 1, np.arange(20) >= 6]).astype(np.int32)
    variables = program(model.init)(jax.random.key(1), cells)
    fitted = fit(model, variables, np.repeat(cells, 20, axis=0), labels, steps=400, rate=0.1)
    got = program(model.predict)(fitted, cells)
    close(got.prediction[:, 1], np.float32([0.05, 0.7]), atol=0.03)
    close(got.aleatoric, np.float32([entropy(0.05), entropy(0.3)]), atol=0.05)
    assert got.aleatoric[0] < got.aleatoric[1]


def test_squared_errors_by_hand():
    output, y = np.float32([[1, 2], [3, 5]]), np.float32([[0, 4], [3, 1]])
    losses = program(lambda output: likelihoods.squared().loss({}, seen(output), y, KEY))
    same(losses(output), np.float32([(1 + 4) / 2, 16 / 2]))
    same(likelihoods.squared().describe({}, seen(output)), risk.Risk(output))


def test_classes_by_hand():
    logits, third = np.float32([[0, np.log(3)], [0, 0]]), np.float32([[np.log(3)], [0]])
    labels = np.int32([1, 0])
    likelihood = likelihoods.categorical()

    @program
    def call(output):
        made = seen(output)
        return likelihood.loss({}, made, labels, KEY), likelihood.describe({}, made)

    for output in (logits, third):  # one logit is that of class 1
        losses, got = call(output)
        close(losses, np.float32([-np.log(0.75), np.log(2)]), rtol=1e-6)
        close(got.prediction, np.float32([[0.25, 0.75], [0.5, 0.5]]), rtol=1e-6)
        close(got.aleatoric, np.float32([entropy(0.25), np.log(2)]), rtol=1e-6)
        assert got.task == "classification" and got.epistemic is None


def of_noisy_logits(gap, variance):
    """Probability of class 1 with Gaussian noise on the gap of logits, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return (weights / (1 + np.exp(-gap - np.sqrt(variance) * nodes))).sum() / weights.sum()


def test_noisy_logits_are_averaged_before_the_log():
    """One logit, 2 and -1, beside 0: with noise of variances 4 and 5 their gap has 9."""
    likelihood, params = likelihoods.noisy_logits(samples=4000), constant(4, 5)
    output = np.float32([[2], [-1]])
    truth = np.array([of_noisy_logits(2, 9), of_noisy_logits(-1, 9)])

    @program
    def call(output):
        loss = functools.partial(likelihood.loss, params, seen(output))
        return (
            loss(np.int32([1, 1]), jax.random.key(1)),
            loss(np.int32([0, 0]), jax.random.key(1)),
            likelihood.describe(params, seen(output)),
        )

    of_one, of_zero, got = call(output)
    close(np.exp(-of_one), truth, atol=0.02)  # a draw's deviation is at most .5: .008 of 4000
    close(np.exp(-of_zero), 1 - truth, atol=0.02)
    close(got.prediction[:, 1], truth, atol=0.02)
    close(got.aleatoric, entropy(truth), atol=0.02)


def test_noise_of_logits_in_training_and_outside():
    likelihood, params = likelihoods.noisy_logits(samples=3), constant(1, 1)

    @program
    def call(output):
        made = seen(output)
        losses = likelihood.loss(params, made, np.int32([1, 1]), KEY)
        return losses, likelihood.describe(params, made)

    losses, got = call(np.zeros((2, 2)))
    assert losses[0] != losses[1]  # each input draws its own
    same(got[:1], got[1:])  # outside all take the same


def test_without_noise_logits_are_logits():
    """Variances are 1e-6 at least: a thousandth is drawn."""
    output, labels = normal(0, 4, 3), np.int32([0, 2, 1, 1])
    params = {"kernel": np.zeros((1, 3), np.float32), "bias": np.full(3, -50, np.float32)}
    noisy, plain = likelihoods.noisy_logits(2), likelihoods.categorical()

    @program
    def losses(output):
        made = seen(output)
        return noisy.loss(params, made, labels, KEY), plain.loss({}, made, labels, KEY)

    close(*losses(output), atol=0.01)


def shape_of_losses(likelihood, outputs, shape, dtype):
    """Of targets `shape` beside outputs, without computing them."""

    def losses(output, targets):
        made = seen(output)
        return likelihood.loss(likelihood.init(KEY, made), made, targets, KEY)

    return jax.eval_shape(losses, jnp.zeros(outputs), jax.ShapeDtypeStruct(shape, dtype)).shape


NUMBERS = [likelihoods.squared(), likelihoods.gaussian(0.5)]
CLASSES = [likelihoods.categorical(), likelihoods.noisy_logits(2)]


@pytest.mark.parametrize("likelihood", NUMBERS)
def test_numbers_do_not_broadcast(likelihood):
    """Targets [B] beside outputs [B, 1] would be B x B losses (Capsa 0.1.5 sums them)."""
    assert shape_of_losses(likelihood, (4, 1), (4, 1), jnp.float32) == (4,)
    assert shape_of_losses(likelihood, (4, 2), (4, 2), jnp.float32) == (4,)
    for shape in ((4,), (1, 1), (4, 2)):
        with pytest.raises(AssertionError, match="shape"):
            shape_of_losses(likelihood, (4, 1), shape, jnp.float32)


@pytest.mark.parametrize("likelihood", CLASSES)
def test_classes_do_not_broadcast(likelihood):
    assert shape_of_losses(likelihood, (4, 2), (4,), jnp.int32) == (4,)
    for shape in ((1,), (4, 1)):
        with pytest.raises(AssertionError, match="shape"):
            shape_of_losses(likelihood, (4, 2), shape, jnp.int32)
