"""Accuracies of answers that are known."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.supervised import Parameters
from icm_jax.systems.counterfactual.biased import BiasedData, Split
from icm_jax.systems.counterfactual.invariance import evaluation
from icm_jax.systems.counterfactual.invariance.state import State


def test_accuracy_and_accuracy_against_the_colour():
    labels = np.int32([0, 0, 1, 1, 2])
    answers = np.int32([0, 1, 1, 1, 0])  # 3 of 5
    colours = np.int32([0, 1, 0, 0, 2])  # of another class: the second, third and fourth, 2 of 3
    test = Split({"answer": answers}, labels, {"foreground": colours})

    def render(parts, shared, key):
        return jnp.eye(3)[parts["answer"]]

    data = BiasedData(test, test, {}, render, 3, 32)
    learner = SimpleNamespace(parameters=Parameters({}, {}))
    config = SimpleNamespace(
        data=SimpleNamespace(set="colored"),
        method="both",
        evaluation=SimpleNamespace(images=2),
    )

    def judged(complete):
        return evaluation.evaluate(
            config, lambda variables, images: images, data, State(learner), {}, complete
        )

    found = judged(True)
    assert found.summary["accuracy"] == pytest.approx(3 / 5)
    assert found.summary["accuracy_against"] == pytest.approx(2 / 3)
    assert found.summary["accuracy_of_classes"] == pytest.approx([0.5, 1, 0])
    np.testing.assert_allclose(found.summary["confusion"], [[0.5, 0.5, 0], [0, 1, 0], [1, 0, 0]])
    assert judged(False).scalars == {"test_accuracy": 0.5}  # of the first two
    assert "60.0 % of test images" in evaluation.tell(found.summary).sentence
