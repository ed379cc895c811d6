"""Several metrics on one network: each answers as its model does alone."""

import jax
import numpy as np
import pytest
from systems.risk.wrappers.nets import MLP, Decoder, Normed, close, made, normal, program, same

from icm_jax.systems.risk import wrappers as risk

KEY = jax.random.key(0)
IMAGES, TARGETS = normal(0, 5, 2, 2, 1), normal(1, 5, 2)
NET = Normed()
METRICS = {
    "mve": risk.mve(NET),
    "shares": risk.histogram(risk.vae(NET, Decoder((2, 2, 1)), latent=2), size=8),
}


@pytest.fixture(scope="module")
def answers():
    """Of the controller and of each model alone: (variables, losses, after them, risk)."""
    together = risk.controller(METRICS)
    variables = made(together, IMAGES)

    def of(model, variables):
        losses, after = model.loss(variables, IMAGES, TARGETS, KEY)
        observed = model.observe(variables, IMAGES)
        return variables, losses, after, model.predict(observed, IMAGES, KEY)

    def part(name):
        params = {"network": variables["params"]["network"], **variables["params"][name]}
        return {**variables, "params": params, "risk": variables["risk"][name]}

    @program
    def everything():
        alone = {name: of(model, part(name)) for name, model in METRICS.items()}
        return of(together, variables), alone

    return everything()


def test_the_network_is_there_once():
    net, x = MLP((2,)), normal(2, 3, 3)
    metrics = {"mve": risk.mve(net), "shares": risk.histogram(net, size=8)}

    @program
    def call():
        alone = {name: model.init(KEY, x) for name, model in metrics.items()}
        return risk.controller(metrics).init(KEY, x), alone

    together, alone = call()
    network = alone["mve"]["params"]["network"]
    same(network, alone["shares"]["params"]["network"])
    head = {"likelihood": alone["mve"]["params"]["likelihood"]}
    same(together["params"], {"network": network, "mve": head, "shares": {}})
    same(together["risk"], {"mve": {}, "shares": alone["shares"]["risk"]})


def test_each_metric_answers_as_its_model_alone(answers):
    (*_, risks), alone = answers
    assert list(risks) == ["mve", "shares"]
    for name, (*_, got) in alone.items():
        same(risks[name], got)
    assert risks["mve"].aleatoric is not None and risks["mve"].density is None
    assert risks["shares"].novelty is not None and risks["shares"].density is not None


def test_the_network_learns_from_the_mean_of_losses(answers):
    (variables, losses, after, _), alone = answers
    each = list(alone.values())
    close(losses, sum(one[1] for one in each) / 2, rtol=1e-5)
    same(after["params"], variables["params"])
    for one in each:
        same(after["batch_stats"], one[2]["batch_stats"])


def test_trained_networks_are_kept():
    net, x = MLP((4, 2)), normal(2, 3, 3)
    trained = made(net, x)
    both = risk.controller({"a": risk.mve(net), "b": risk.density(net, neighbours=2, size=8)})
    variables = program(both.wrap)(trained, KEY, x)
    same(variables["params"]["network"], trained["params"])
    np.testing.assert_array_equal(variables["risk"]["b"]["density"].bank.count, 0)


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
