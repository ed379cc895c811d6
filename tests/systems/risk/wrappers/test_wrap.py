"""The wrappers: what they keep, in which order they may stand, what they refuse."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.risk.wrappers.nets import MLP, Decoder, Normed, made, normal, program, same

from icm_jax.systems.risk import wrappers as risk
from icm_jax.systems.risk.wrappers import heads
from icm_jax.systems.risk.wrappers.model import Ensemble, Model
from icm_jax.systems.risk.wrappers.network import Dropout

KEY = jax.random.key(0)
X = normal(0, 5, 3)
NET = MLP((4, 2))

vae = functools.partial(risk.vae, decoder=Decoder((3,)), latent=2)
histogram = functools.partial(risk.histogram, size=8)
density = functools.partial(risk.density, neighbours=2, size=8)


def parts(model):
    """A model as plain data: members outside, then what each member is."""
    if isinstance(model, Ensemble):
        return (model.members, *parts(model.inner))
    names = tuple(head.name for head in model.heads)
    has_head = bool(jax.eval_shape(model.init, KEY, X)["params"].get("likelihood"))
    return (model.network, model.likelihood.task, has_head, names, model.dropout)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_makes_the_same_model(order):
    wrappers = [risk.mve, vae, functools.partial(risk.dropout, rate=0.2, passes=3, inputs=True)]
    wrappers.append(functools.partial(risk.ensemble, members=3))
    model = NET
    for number in order:
        model = wrappers[number](model)
    assert parts(model) == (3, NET, "regression", True, ("vae",), Dropout(0.2, 3, True))


def test_two_orders_give_the_same_numbers():
    @functools.partial(program, static_argnums=0)
    def call(model):
        variables = model.observe(made(model, X), X)
        return variables, model.predict(variables, X, KEY)

    dropout = functools.partial(risk.dropout, rate=0.3, passes=2)
    inside = risk.ensemble(histogram(dropout(risk.mve(NET))), members=2)
    outside = risk.mve(dropout(histogram(risk.ensemble(NET, members=2))))
    same(call(inside), call(outside))


def test_ensembles_of_ensembles_are_reached():
    model = risk.mve(risk.ensemble(risk.ensemble(NET, members=2), members=3))
    assert parts(model) == (3, 2, NET, "regression", True, (), None)


def test_trained_networks_are_kept():
    """Their weights and statistics, and what they predict; only what is beside them is new."""
    net, images = Normed(), normal(2, 5, 2, 2, 1)
    trained = made(net, images, train=False)
    wrappers = {
        "plain": risk.plain,
        "mve": risk.mve,
        "vae": functools.partial(risk.vae, decoder=Decoder((2, 2, 1)), latent=2),
        "histogram": histogram,
        "density": density,
        "dropout": functools.partial(risk.dropout, rate=0.0),
    }

    @program
    def call(trained):
        got = {}
        for name, wrapper in wrappers.items():
            model = wrapper(net)
            variables = model.wrap(trained, KEY, images)
            got[name] = variables, model.predict(variables, images).prediction
        return got, net.apply(trained, images, train=False)

    got, output = call(trained)
    for variables, prediction in got.values():
        same(prediction, output)
        same(variables["params"]["network"], trained["params"])
        same(variables["batch_stats"], trained["batch_stats"])
    assert sorted(got["vae"][0]["params"]) == ["network", "vae"]
    assert sorted(got["mve"][0]["params"]) == ["likelihood", "network"]
    assert got["density"][0]["risk"]["density"].bank.count == 0


def test_trained_members_are_kept():
    trained = jax.tree.map(lambda *leaves: np.stack(leaves), made(NET, X, 0), made(NET, X, 1))
    variables = program(risk.ensemble(risk.mve(NET), members=2).wrap)(trained, KEY, X)
    same(variables["params"]["network"], trained["params"])
    assert variables["params"]["likelihood"]["kernel"].shape == (2, 4, 2)


def width_of_bank(model):
    return jax.eval_shape(model.init, KEY, X)["risk"]["histogram"].latents.shape


def test_histograms_look_at_the_latents_of_an_autoencoder_inside():
    assert width_of_bank(histogram(vae(NET))) == (8, 2)
    assert width_of_bank(histogram(NET)) == (8, 4)  # what enters the last layer
    assert width_of_bank(vae(histogram(NET))) == (8, 4)


def test_a_wrapper_again_takes_the_place_of_its_like():
    model = risk.histogram(density(histogram(NET)), size=16)
    assert [head.name for head in model.heads] == ["density", "histogram"]
    assert width_of_bank(model) == (16, 4)
    assert risk.dropout(risk.dropout(NET, 0.1), 0.5).dropout.rate == 0.5


def test_arguments_reach_the_heads():
    by_hand = [
        heads.autoencoder(Decoder((3,)), latent=2, weight=0.5, beta=2.0, capsa=True),
        heads.histogram(3, 8, 0.1),
        heads.nearest(3, 8),
    ]
    model = risk.vae(NET, Decoder((3,)), 2, weight=0.5, beta=2.0, capsa=True)
    model = risk.density(risk.histogram(model, bins=3, size=8, smoothing=0.1), 3, size=8)
    features = normal(3, 5, 4)

    @program
    def call(features):
        got = []
        for all_heads in (by_hand, model.heads):
            params, _ = all_heads[0].init(KEY, X, features)
            found = [all_heads[0].loss(params, X, features, KEY)]
            for head in all_heads[1:]:
                bank = head.observe(head.init(KEY, X, features)[1], features, None)
                found.append(head.describe({}, bank, X, features)["density"])
            got.append(found)
        return got

    same(*call(features))


def test_classes_stay_classes():
    model = risk.plain(NET, "classification")
    assert risk.plain(model) is model
    for wrapper in (risk.mve, vae, histogram, density, risk.dropout):
        assert wrapper(model).likelihood.task == "classification"
    got = jax.eval_shape(lambda: risk.mve(model).predict(risk.mve(model).init(KEY, X), X))
    assert got.task == "classification" and got.aleatoric.shape == (5,)
    assert risk.mve(NET, task="classification").likelihood.task == "classification"
    assert (
        isinstance(risk.dropout(NET), Model) and risk.dropout(NET).likelihood.task == "regression"
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: risk.plain(NET, "numbers"), "task: 'numbers' is not allowed; .* classification"),
        (lambda: risk.mve(NET, beta=-1), "beta: -1 is not allowed; it must be from 0 on"),
        (lambda: risk.mve(NET, samples=0), "samples: 0 is not allowed; it must be at least 1"),
        (lambda: risk.dropout(NET, 1), "rate: 1 is not allowed; it must be from 0 to below 1"),
        (lambda: risk.dropout(NET, -0.1), "rate: -0.1 is not allowed; it must be from 0"),
        (lambda: risk.dropout(NET, passes=0), "passes: 0 is not allowed; it must be at least 1"),
        (lambda: risk.ensemble(NET, 0), "members: 0 is not allowed; it must be at least 1"),
        (lambda: vae(NET, latent=0), "latent: 0 is not allowed; it must be at least 1"),
        (lambda: risk.histogram(NET, bins=1), "bins: 1 is not allowed; it must be at least 2"),
        (lambda: risk.histogram(NET, size=0), "size: 0 is not allowed; it must be at least 1"),
        (lambda: risk.histogram(NET, smoothing=0), "smoothing: 0 is not allowed; .* above 0"),
        (lambda: risk.density(NET, 0), "neighbours: 0 is not allowed; .* from 1 to size, 2000"),
        (lambda: risk.density(NET, 9, size=8), "neighbours: 9 is not allowed; .* to size, 8"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_network_that_needs_train_is_given_it():
    shapes = jax.eval_shape(risk.plain(Normed()).init, KEY, jnp.zeros((5, 2, 2, 1)))
    assert sorted(shapes["batch_stats"]["BatchNorm_0"]) == ["mean", "var"]


def test_what_is_observed_is_what_is_asked():
    """The density that `histogram(vae(net))` gives is that of the autoencoder's means."""
    model = histogram(vae(NET))

    @program
    def call(variables):
        observed = model.observe(variables, X)
        return observed["risk"]["histogram"], model.predict(observed, X).density

    variables = made(model, X)
    bank, log = call(variables)
    params = variables["params"]
    dense, coder = params["network"]["Dense_0"], params["vae"]
    features = np.maximum(X @ dense["kernel"] + dense["bias"], 0)
    means = (features @ coder["kernel"] + coder["bias"])[:, :2]
    np.testing.assert_allclose(bank.latents[:5], means, rtol=1e-4, atol=1e-6)
    logs = np.zeros(5)
    for column in means.T:
        counts, edges = np.histogram(column, 5)
        share = (counts / 5 + 1e-3) / (1 + 5e-3)
        logs += np.log(share)[np.clip(np.digitize(column, edges) - 1, 0, 4)]
    np.testing.assert_allclose(log, logs, rtol=1e-4)
