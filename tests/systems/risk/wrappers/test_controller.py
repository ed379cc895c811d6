"""Several metrics on one network: each answers as its model does alone."""

import jax
import numpy as np
import pytest
from systems.risk.wrappers.nets import MLP, Decoder, Normed, close, normal, same

from icm_jax.systems.risk import wrappers as risk

KEY = jax.random.key(0)
IMAGES, TARGETS = normal(0, 5, 2, 2, 1), normal(1, 5, 2)
NET = Normed()
METRICS = {
    "mve": risk.mve(NET),
    "novelty": risk.vae(NET, Decoder((2, 2, 1)), latent=2),
    "shares": risk.histogram(NET, size=8),
}


@jax.jit
def everything():
    """Of the controller and of each model alone: (variables, loss, gradient, statistics, risk)."""

    def of(model, variables):
        def cost(params):
            losses, after = model.loss({**variables, "params": params}, IMAGES, TARGETS, KEY)
            return losses.sum(), (losses, after["batch_stats"])

        gradient, (losses, stats) = jax.grad(cost, has_aux=True)(variables["params"])
        observed = model.observe(variables, IMAGES)
        return variables, losses, gradient, stats, model.predict(observed, IMAGES, KEY)

    together = risk.controller(METRICS)
    alone = {name: of(model, model.init(KEY, IMAGES)) for name, model in METRICS.items()}
    return of(together, together.init(KEY, IMAGES)), alone


@pytest.fixture(scope="module")
def answers():
    return everything()


def test_the_network_is_there_once(answers):
    (variables, *_), alone = answers
    assert sorted(variables["params"]) == ["mve", "network", "novelty", "shares"]
    for name, (own, *_) in alone.items():
        same(variables["params"]["network"], own["params"]["network"])
        beside = {k: v for k, v in own["params"].items() if k != "network"}
        same(variables["params"][name], beside)
        same(variables["risk"][name], own["risk"])


def test_each_metric_answers_as_its_model_alone(answers):
    (*_, risks), alone = answers
    assert list(risks) == ["mve", "novelty", "shares"]
    for name, (*_, got) in alone.items():
        same(risks[name], got)
    assert risks["mve"].aleatoric is not None and risks["mve"].density is None
    assert risks["novelty"].novelty is not None and risks["shares"].density is not None


def test_the_network_learns_from_the_mean_of_losses(answers):
    (_, losses, gradient, stats, _), alone = answers
    each = list(alone.values())
    close(losses, sum(one[1] for one in each) / 3, rtol=1e-5)
    of_network = jax.tree.map(lambda *g: sum(g) / 3, *[one[2]["network"] for one in each])
    close(gradient["network"], of_network, rtol=1e-4, atol=1e-4)
    for name, one in alone.items():
        own = {k: v for k, v in one[2].items() if k != "network"}
        close(gradient[name], jax.tree.map(lambda g: g / 3, own), rtol=1e-4, atol=1e-6)
        same(stats, one[3])


def test_trained_networks_are_kept():
    net, x = MLP((4, 2)), normal(2, 3, 3)
    trained = jax.jit(net.init)(jax.random.key(7), x)
    both = risk.controller({"a": risk.mve(net), "b": risk.density(net, neighbours=2, size=8)})
    variables = jax.jit(both.wrap)(trained, KEY, x)
    same(variables["params"]["network"], trained["params"])
    np.testing.assert_array_equal(variables["risk"]["b"]["density"].count, 0)


@pytest.mark.parametrize(
    "metrics, names",
    [
        ({}, "none"),
        ({"a": risk.mve(NET), "b": risk.ensemble(NET)}, "a, b"),
        ({"a": risk.mve(NET), "b": risk.mve(MLP())}, "a, b"),
        ({"network": risk.mve(NET)}, "network"),
        ({"a": NET}, "a"),
    ],
)
def test_refusals(metrics, names):
    message = f"metrics: {names} are not allowed; they must be models of one network, none of them"
    with pytest.raises(ValueError, match=message) as error:
        risk.controller(metrics)
    assert "\n" not in str(error.value)
