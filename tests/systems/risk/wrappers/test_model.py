"""Models and ensembles: what they reduce to, closed forms, and what does not matter to them."""

import functools

import jax
import numpy as np
import pytest
from systems.risk.wrappers.nets import (
    MLP,
    Decoder,
    Normed,
    close,
    layer,
    made,
    normal,
    program,
    same,
)

from icm_jax.systems.risk import wrappers as risk
from icm_jax.systems.risk.wrappers.network import look

KEY = jax.random.key(0)
X, Y = normal(0, 5, 3), normal(1, 5, 2)
NET = MLP((4, 2))


def stack(*trees):
    """Trees of one structure on a new first axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@functools.partial(program, static_argnums=0)
def everything(model, variables, key):
    """(risk, losses, gradient, variables after), one program. Latents are observed first."""
    variables = model.observe(variables, X)

    def cost(params):
        losses, after = model.loss({**variables, "params": params}, X, Y, key)
        return losses.sum(), (losses, after)

    gradient, (losses, after) = jax.grad(cost, has_aux=True)(variables["params"])
    return model.predict(variables, X, key), losses, gradient, after


def test_rate_zero_changes_nothing():
    plain = risk.plain(NET)
    variables = made(plain, X)
    none = risk.dropout(NET, rate=0.0, passes=7, inputs=True)
    same(everything(none, variables, KEY), everything(plain, variables, KEY))


def test_one_pass_is_its_pass():
    model = risk.dropout(risk.mve(NET), rate=0.5, passes=1)
    variables = made(model, X)

    @program
    def call(variables):
        of_network = {"params": variables["params"]["network"]}
        key = jax.random.split(KEY, 1)[0]
        alone = look(NET, of_network, X, key=key, dropout=model.dropout)
        said = model.likelihood.describe(variables["params"]["likelihood"], alone)
        return model.predict(variables, X, KEY), said

    got, said = call(variables)
    same(got, said)
    assert got.epistemic is None


INNER = risk.dropout(risk.density(risk.mve(NET), neighbours=2, size=8), rate=0.3, passes=3)


def test_members_begin_apart():
    inner = risk.mve(MLP((2,)))

    @program
    def call():
        alone = [inner.init(each, X) for each in (KEY, *jax.random.split(KEY, 2))]
        return alone, [risk.ensemble(inner, members).init(KEY, X) for members in (1, 2)]

    alone, (one, two) = call()
    same(one, stack(alone[0]))
    same(two, stack(*alone[1:]))
    kernels = two["params"]["network"]["Dense_0"]["kernel"]
    assert np.all(kernels[0] != kernels[1])


def test_an_ensemble_of_one_is_its_member():
    one = risk.ensemble(INNER, members=1)
    member = made(INNER, X)
    alone = everything(INNER, member, KEY)
    got, losses, gradient, after = everything(one, stack(member), KEY)
    same((got, losses), alone[:2])
    same((gradient, after), stack(alone[2:]))


def test_one_program_of_members_is_a_loop_over_them():
    model = risk.ensemble(INNER, members=3)
    members, keys = [made(INNER, X, seed) for seed in range(3)], jax.random.split(KEY, 3)
    alone = [everything(INNER, *each) for each in zip(members, keys, strict=True)]
    risks, all_losses, gradients, after = stack(*alone)
    got = everything(model, stack(*members), KEY)
    # The rounding of what spreads latents is 1e-3 in directions in which they hardly vary.
    close(got[0], program(risk.combine)(risks), rtol=1e-3)
    close(got[0].epistemic, program(risk.combine)(risks).epistemic, rtol=1e-4)
    close(got[1], all_losses.sum(0), rtol=1e-5)
    close(got[2], gradients, rtol=1e-4, atol=1e-5)
    # Nor is the bank's whitening exact there; its latents are.
    close(got[3]["risk"], after["risk"], rtol=1e-3)
    banks = [each["risk"].pop("density").bank for each in (got[3], after)]
    close(*banks, rtol=1e-4)
    close(got[3], after, rtol=1e-4)


def test_members_of_members():
    """Three groups of two: the variance between means of groups, plus the mean of those within."""
    model = risk.ensemble(risk.ensemble(MLP((1,)), members=2), members=3)
    slopes = normal(2, 3, 2)
    bias = np.zeros((3, 2, 1), np.float32)
    dense = {"Dense_0": {"kernel": slopes[..., None, None], "bias": bias}}
    variables = {"params": {"network": dense}, "batch_stats": {}, "risk": {}}
    got = program(model.predict)(variables, np.float32([[1], [2]]))
    spread = slopes.mean(1).var(ddof=1) + slopes.var(1, ddof=1).mean()
    close(got.prediction, np.float32([[1], [2]]) * slopes.mean(), rtol=1e-5)
    close(got.epistemic, np.float32([[1], [4]]) * spread, rtol=1e-5)


def test_dropout_of_a_linear_network_in_closed_form():
    """Each input stays with 1 - p, divided by it: variance p / (1 - p) of w^2 x^2."""
    model = risk.dropout(MLP((2,)), rate=0.2, passes=4000, inputs=True)
    kernel, x = normal(3, 3, 2), normal(4, 2, 3)
    variables = {"params": {"network": {"Dense_0": layer(kernel, [1, 2])}}, "batch_stats": {}}
    got = program(model.predict)({**variables, "risk": {}}, x, KEY)
    variance = 0.2 / 0.8 * (x**2) @ (kernel**2)
    close(got.epistemic, variance, rtol=0.1)  # of 4000 draws: a deviation of 2 to 3 %
    error = (got.prediction - (x @ kernel + [1, 2])) / np.sqrt(variance / 4000)
    assert np.max(np.abs(error)) < 4
    assert got.aleatoric is None


def lines(n, members, noise, seed):
    """Variables of members of `mve`, each the least squares line of n targets of its own.

    Slopes, intercepts and variances are in closed form. Also the inverse of X'X.
    """
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, n)
    design = np.stack([x, np.ones(n)], 1)
    y = 0.5 * x + 2 + noise * rng.normal(size=(members, n))
    inverse = np.linalg.inv(design.T @ design)
    weights = y @ design @ inverse
    variance = ((y - weights @ design.T) ** 2).sum(1) / (n - 2)
    network = {"kernel": weights[:, 0, None, None], "bias": weights[:, 1, None]}
    head = {"kernel": np.zeros((members, 1, 1)), "bias": np.log(np.expm1(variance))[:, None]}
    params = {"network": {"Dense_0": network}, "likelihood": head}
    params = jax.tree.map(np.float32, params)
    return {"params": params, "batch_stats": {}, "risk": {}}, inverse


def test_epistemic_falls_with_data_and_aleatoric_does_not():
    """Least squares: the variance of a line is noise^2 x' inverse(X'X) x; a quarter with 4 n."""
    model = risk.ensemble(risk.mve(MLP((1,))), members=1000)
    predict = program(model.predict)
    x, risks = np.float32([[0], [1], [3]]), []
    for n in (20, 80):
        variables, inverse = lines(n, 1000, noise=0.3, seed=n)
        at = np.concatenate([x, np.ones_like(x)], 1)
        truth = 0.3**2 * np.einsum("bi,ij,bj->b", at, inverse, at)
        risks.append(predict(variables, x))
        close(risks[-1].epistemic[:, 0], truth, rtol=0.15)  # a deviation of 4.5 %
        close(risks[-1].aleatoric, np.full((3, 1), 0.3**2), rtol=0.05)
        close(risks[-1].prediction, 0.5 * x + 2, atol=0.02)
    close(risks[0].epistemic / risks[1].epistemic, np.full((3, 1), 4), rtol=0.3)


def test_a_prediction_does_not_know_the_rest_of_the_batch():
    """Every wrapper at once, with a key; in another order, and beside others."""
    images = normal(5, 6, 2, 2, 1)
    model = risk.mve(Normed(), task="classification")
    model = risk.ensemble(risk.dropout(model, passes=3), members=2)
    model = risk.density(risk.vae(model, Decoder((2, 2, 1)), latent=2), neighbours=2, size=8)
    variables = made(model, images)

    @program
    def call(x):
        return model.predict(model.observe(variables, images), x, KEY)

    whole = call(images)
    order = np.array([5, 0, 3, 1, 4, 2])
    close(call(images[order]), whole[order], rtol=1e-5, atol=1e-6)
    beside = np.concatenate([images[:2], 9 * images[2:]])
    close(call(beside)[:2], whole[:2], rtol=1e-5, atol=1e-6)
    fields = (whole.aleatoric, whole.epistemic, whole.density, whole.novelty)
    assert all(np.all(np.isfinite(field)) for field in fields)
    assert np.all(whole.epistemic > 0)


def test_compiled_is_as_it_is_written():
    model = risk.dropout(risk.mve(MLP((1,))), rate=0.3, passes=2, inputs=True)
    call = functools.partial(model.predict, made(model, X), X, KEY)
    close(program(call)(), call(), rtol=1e-5)


def test_a_loss_takes_the_statistics_of_the_batch_and_keeps_their_average():
    images, targets = normal(6, 6, 2, 2, 1) + 3, normal(7, 6, 2)
    model = risk.plain(Normed())
    variables = made(model, images)

    @program
    def call(variables):
        losses, after = model.loss(variables, images, targets, KEY)
        return losses, after, model.predict(variables, images)

    losses, after, got = call(variables)
    mean, before = (each["batch_stats"]["BatchNorm_0"]["mean"] for each in (after, variables))
    close(mean, 0.9 * before + 0.1 * images.mean((0, 1, 2)), rtol=1e-5)
    same(after["params"], variables["params"])
    # Normalized by the running statistics outside, by the batch's in training.
    outside = np.square(targets - got.prediction).sum(1) / 2
    assert np.all(np.abs(losses - outside) > 1e-3)


def test_a_loss_of_a_head_is_added():
    weights = [0.0, 1.0, 3.0]
    models = [risk.vae(NET, Decoder((3,)), latent=2, weight=weight) for weight in weights]
    variables = made(models[0], X)

    @program
    def losses(variables):
        return [model.loss(variables, X, Y, KEY)[0] for model in [risk.plain(NET), *models]]

    plain, none, one, three = losses(variables)
    same(none, plain)
    close(three - none, 3 * (one - none), rtol=1e-4)
    assert np.all(one > none)


def test_banks_are_asked_as_they_were_filled():
    """Without dropout: what is dropped would lie far from every latent that was observed."""
    plain = risk.vae(risk.density(NET, neighbours=2, size=8), Decoder((3,)), latent=2)
    model = risk.dropout(plain, rate=0.5, passes=4)

    @program
    def call(variables):
        variables = plain.observe(variables, X)
        return plain.predict(variables, X), model.predict(variables, X, KEY)

    without, dropped = call(made(plain, X))
    close(dropped.density, without.density, rtol=1e-5)
    close(dropped.novelty, without.novelty, rtol=1e-5)
    assert np.max(dropped.epistemic) > 0.1


def test_what_does_not_count_is_not_observed():
    model = risk.ensemble(risk.histogram(NET, size=8), members=2)
    counts = np.array([True, False, True, True, False])
    variables = made(model, X)

    @program
    def call(variables):
        return model.observe(variables, X, counts), model.observe(variables, X[counts])

    observed, alone = call(variables)
    bank, alone = observed["risk"]["histogram"], alone["risk"]["histogram"]
    np.testing.assert_array_equal(bank.count, [3, 3])
    close(bank.latents[:, :3], alone.latents[:, :3], rtol=1e-5)
    same(observed["params"], variables["params"])


def test_dropout_asks_for_a_key():
    model = risk.ensemble(risk.dropout(NET), members=2)
    with pytest.raises(ValueError, match="key: None is not allowed; dropout draws what it drops"):
        jax.eval_shape(model.predict, jax.eval_shape(model.init, KEY, X), X)


def test_an_ensemble_wraps_as_many_networks_as_it_has():
    variables = jax.eval_shape(NET.init, KEY, X)
    with pytest.raises(ValueError, match="variables: .* those of 5 networks, stacked") as error:
        risk.ensemble(NET).wrap(variables, KEY, X)
    assert "\n" not in str(error.value)


def test_an_autoencoder_of_one_class_costs_others_nothing():
    labels = np.array([1, 0, 1, 0, 0])
    plain = risk.plain(NET, "classification")
    everyone, ones = (risk.vae(plain, Decoder((3,)), latent=2, of=of) for of in (None, 1))
    variables = made(everyone, X)
    alone = {**variables, "params": {"network": variables["params"]["network"]}}

    @program
    def losses(variables, alone):
        each = [model.loss(variables, X, labels, KEY)[0] for model in (everyone, ones)]
        return *each, plain.loss(alone, X, labels, KEY)[0]

    of_all, of_ones, without = losses(variables, alone)
    assert (of_all > without + 0.1).all()
    close(of_ones, np.where(labels == 1, of_all, without))
