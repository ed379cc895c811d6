import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.risk.regression import tiny

from icm_jax.systems.risk.regression import evaluation
from icm_jax.systems.risk.regression.answers import Asked, make_answer, make_observe, rows_of
from icm_jax.systems.risk.regression.data import make_tasks
from icm_jax.systems.risk.regression.registry import make_models
from icm_jax.systems.risk.regression.steps import init_state


def made(config, table=None):
    """Task, models and the state before the first step."""
    (task,) = make_tasks(config, table or tiny.plane(), [0])
    models = make_models(config, task.features)
    sizes = (task.splits, task.features)
    return task, models, init_state(models, config, sizes, (), jax.random.key(0))


def zeros(state):
    """The state with networks that say 0 always."""
    return state._replace(
        learners={
            name: learner._replace(variables=jax.tree.map(jnp.zeros_like, learner.variables))
            for name, learner in state.learners.items()
        }
    )


def ask(task, models, state):
    asked = Asked(task.test.features, task.scale, task.shift)
    return make_answer(models)(state.learners, task.train, asked)


def test_a_constant_network_is_off_by_what_targets_vary():
    config, table = tiny.regression(["plain", "dropout", "ensemble"]), tiny.plane()
    task, models, state = made(config, table)
    answers = ask(task, models, zeros(state))
    quick = evaluation.measure_quickly(task, answers)
    for split, test in enumerate(table.test):
        known, new = table.targets[~test, 0], table.targets[test, 0]
        error, variance = new - known.mean(), known.var()
        nll = (np.log(2 * np.pi * variance) + error**2 / variance).mean() / 2
        for row in ("plain", "dropout", "ensemble"):
            # The constant risk of a network that says the mean is the variance of the targets.
            own = answers[row].of_split(split, int(test.sum()))
            np.testing.assert_allclose(own.whole.aleatoric, variance, rtol=1e-5)
            np.testing.assert_allclose(own.whole.prediction, known.mean(), rtol=1e-6)
            found = quick[row][split]
            np.testing.assert_allclose(found["rmse"], np.sqrt(np.mean(error**2)), rtol=1e-5)
            np.testing.assert_allclose(found["nll"], nll, rtol=1e-5)
    assert answers["plain"].whole.epistemic is None
    assert answers["dropout"].parts.prediction.shape == (2, 3, 26, 1)
    np.testing.assert_array_equal(answers["ensemble"].whole.epistemic, 0)


def test_a_linear_network_of_least_squares_has_their_errors():
    config, table = tiny.regression(["plain"]), tiny.plane()
    config.hidden = ()
    task, models, state = made(config, table)
    wanted, kernels, biases = [], [], []
    for split, test in enumerate(table.test):
        x = np.c_[table.features, np.ones(len(table.features))].astype(float)
        y = table.targets[:, 0]
        solution, *_ = np.linalg.lstsq(x[~test], y[~test], rcond=None)
        wanted.append(np.sqrt(np.mean((y[test] - x[test] @ solution) ** 2)))
        n = task.train.count[split]
        own = np.c_[task.train.features[split, :n], np.ones(n)].astype(float)
        weights, *_ = np.linalg.lstsq(own, task.train.of_split(split), rcond=None)
        kernels.append(weights[:2, None])
        biases.append(weights[2:])
    params = state.learners["plain"].variables["params"]["network"]["Dense_0"]
    params |= {"kernel": jnp.asarray(kernels, jnp.float32), "bias": jnp.asarray(biases, "float32")}
    quick = evaluation.measure_quickly(task, ask(task, models, state))
    np.testing.assert_allclose([each["rmse"] for each in quick["plain"]], wanted, rtol=1e-5)


@pytest.mark.parametrize("size", [16, 100])
def test_banks_hold_rows_evenly_from_all_that_are_no_filling(size):
    config = tiny.regression(["density", "ensemble_mve"])
    config.density.size = size
    task, models, state = made(config)
    observe = make_observe(models)
    data = {"train": task.train}
    seen = observe(state, data)
    bank = seen.learners["density"].variables["risk"]["density"].bank
    model, variables = models["density"], state.learners["density"].variables
    for split, count in enumerate(task.train.count):
        held = min(size, count)
        assert bank.count[split] == held
        index = (np.arange(held) * (count / held)).astype(int)
        assert len(set(index)) == held and count - 3 <= index[-1] < count
        own = jax.tree.map(lambda leaf, s=split: leaf[s], variables)
        by_hand = model.observe(own, task.train.features[split, index])["risk"]["density"].bank
        np.testing.assert_allclose(
            bank.latents[split, :held], by_hand.latents[:held], rtol=1e-6, atol=1e-6
        )
    # Latents of before are forgotten.
    again = observe(seen, data)
    jax.tree.map(np.testing.assert_array_equal, again, seen)
    jax.tree.map(
        np.testing.assert_array_equal, seen.learners["ensemble_mve"], state.learners["ensemble_mve"]
    )


def test_a_controller_has_a_row_for_each_metric():
    models = make_models(tiny.regression(["controller", "plain"]), 2)
    of_controller = [f"controller {name}" for name in ("mve", "dropout", "histogram", "vae")]
    assert rows_of(models) == (*of_controller, "plain")
