import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from systems.risk.regression import tiny

from icm_jax.systems.risk.regression.build import build_seeds
from icm_jax.systems.risk.regression.data import Rows
from icm_jax.systems.risk.regression.registry import make_models, place
from icm_jax.systems.risk.regression.steps import draw


def system(config, table=None, axis_name=None):
    return build_seeds(config, table or tiny.plane(), [0], axis_name)[0]


def after(made, steps):
    """The state after some steps; the step is traced once."""
    state = jax.jit(made.init)(jax.random.key(0))
    chex.clear_trace_counter()
    step = jax.jit(chex.assert_max_traces(made.phases[0].step, n=1))
    data = jax.tree.map(jnp.asarray, dict(made.given))
    for i in range(steps):
        state, metrics = step(state, data, jax.random.key(i))
    return state, metrics


def test_rows_are_drawn_below_the_count_and_all_of_them():
    rows = Rows(np.zeros((2, 9, 1)), np.zeros((2, 9, 1)), np.array([9, 4], np.int32))
    index = np.asarray(draw(rows, jax.random.key(0), 200))
    assert [set(each) for each in index] == [set(range(9)), set(range(4))]


@pytest.mark.slow
def test_splits_and_members_at_once_learn_what_each_learns_alone():
    config = tiny.regression(["ensemble_mve"])
    config.optimizer.learning_rate = 0.01
    config.optimizer.weight_decay, config.optimizer.decay = 0.1, 1.0
    made = system(config)
    rows = made.given["train"]
    assert rows.count.tolist() == [36, 34]
    state, metrics = after(made, 2)

    model = make_models(config, 2)["ensemble_mve"]
    total = 0.0
    for split in range(2):
        key = jax.random.fold_in(jax.random.key(0), place("ensemble_mve"))
        variables = model.init(jax.random.split(key, 2)[split], jnp.zeros((1, 2)))
        # Biases do not decay; rates are .01 and .0075 of four steps.
        mask = functools.partial(jax.tree.map_with_path, lambda path, _: path[-1].key == "kernel")
        optimizer = optax.adamw(lambda count: 0.01 * (1 - count / 4), weight_decay=0.1, mask=mask)
        opt_state = optimizer.init(variables["params"])
        for i in range(2):
            draw_key, loss_key = jax.random.split(jax.random.key(i))
            key = jax.random.split(draw_key, 2)[split]
            index = jax.random.randint(key, (8,), 0, rows.count[split])
            key = jax.random.fold_in(loss_key, place("ensemble_mve"))
            key = jax.random.split(key, 2)[split]

            def cost(params, variables=variables, index=index, key=key, split=split):
                x, y = rows.features[split][index], rows.targets[split][index]
                return model.loss({**variables, "params": params}, x, y, key)[0].mean()

            loss, gradient = jax.value_and_grad(cost)(variables["params"])
            updates, opt_state = optimizer.update(gradient, opt_state, variables["params"])
            variables["params"] = optax.apply_updates(variables["params"], updates)
        total += loss
        of_all = state.learners["ensemble_mve"].variables
        learned = jax.tree.map(lambda leaf, s=split: leaf[s], of_all)
        chex.assert_trees_all_close(learned, variables, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["ensemble_mve_loss"].total, total, rtol=1e-5)
    assert metrics["ensemble_mve_loss"].count == 2


def test_a_wrapper_learns_the_same_beside_others_and_on_fewer_splits():
    alone, _ = after(system(tiny.regression(["dropout_mve"])), 2)
    config = tiny.regression(["plain", "dropout_mve"])
    config.data.splits = 1
    beside, _ = after(system(config), 2)
    first = jax.tree.map(lambda leaf: leaf[:1], alone.learners["dropout_mve"].variables)
    chex.assert_trees_all_close(beside.learners["dropout_mve"].variables, first, rtol=1e-6)


def test_four_devices_learn_what_one_does():
    # Devices would drop and draw otherwise than one does.
    config = tiny.regression(["mve", "ensemble"])
    one, four = (system(config, axis_name=axis_name) for axis_name in (None, "devices"))
    state = jax.jit(one.init)(jax.random.key(0))
    data = jax.tree.map(jnp.asarray, dict(one.given))
    of_four = jax.vmap(
        lambda state, key, _: four.phases[0].step(state, data, key),
        in_axes=(None, None, 0),
        axis_name="devices",
    )

    @jax.jit
    def both(alone, shared, key):
        return one.phases[0].step(alone, data, key), of_four(shared, key, jnp.arange(4))

    alone = shared = state
    for i in range(2):
        (alone, metrics), everyone = both(alone, shared, jax.random.key(i))
        first, *others = (jax.tree.map(lambda x, d=d: x[d], everyone) for d in range(4))
        for other in others:
            chex.assert_trees_all_equal(other, first)
        shared, metrics_of_four = first
        chex.assert_trees_all_close(metrics_of_four, metrics, rtol=1e-4, atol=1e-6)
        chex.assert_trees_all_close(shared, alone, rtol=1e-3, atol=1e-6)


def test_a_batch_that_does_not_divide_among_devices_is_refused():
    made = system(tiny.regression(["plain"]), axis_name="devices")
    state = jax.eval_shape(made.init, jax.random.key(0))
    step = jax.vmap(made.phases[0].step, (None, None, None), axis_size=3, axis_name="devices")
    with pytest.raises(ValueError, match="^batch_size: 8 does not divide among 3 devices"):
        jax.eval_shape(step, state, made.given, jax.random.key(0))
