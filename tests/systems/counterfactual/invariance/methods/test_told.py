"""Methods that are told of groups: whose these are, what is drawn and what is lowered."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.counterfactual.generation import tiny as generators
from systems.counterfactual.invariance import tiny

from icm_jax.supervised import Scores
from icm_jax.systems import registry
from icm_jax.systems.counterfactual.biased import BiasedData, Split
from icm_jax.systems.counterfactual.invariance import build
from icm_jax.systems.counterfactual.invariance.methods import told
from icm_jax.systems.counterfactual.invariance.state import State


def data(labels, **attributes):
    """Images of three classes, of which only labels and attributes are known."""
    attributes = {name: np.int32(of) for name, of in attributes.items()}
    train = Split({}, np.int32(labels), attributes)
    return BiasedData(train, train, {}, None, 3, 32)


def members(groups):
    """Which images each group that is not empty has."""
    return {
        number: sorted(groups.index[start : start + count].tolist())
        for number, (start, count) in enumerate(zip(groups.start, groups.count, strict=True))
        if count
    }


def test_groups_are_of_label_and_color():
    config = tiny.classifier("colored,balanced")
    one = data([0, 0, 2, 1], foreground=[0, 2, 2, 1])
    # label * 3 + colour of 9.
    assert members(told.make_groups(config, one)) == {0: [0], 2: [1], 8: [2], 4: [3]}
    assert told.count_groups(config, one) == 9
    both = data([0, 0, 2, 1], foreground=[0, 2, 2, 1], background=[1, 2, 2, 1])
    # (label * 3 + colour) * 3 + background's of 27.
    assert members(told.make_groups(config, both)) == {1: [0], 8: [1], 26: [2], 13: [3]}
    assert told.count_groups(config, both) == 27


def test_environments_take_turns():
    config = tiny.classifier("colored,irm")
    config.data.unbiased = (0.1, 0.0, 0.2)
    found = told.make_groups(config, data([0, 0, 2, 1], foreground=[0, 2, 2, 1]))
    assert members(found) == {0: [0, 3], 1: [1], 2: [2]}


def test_the_penalty_is_that_of_two_environments():
    config = tiny.classifier("colored,irm")
    config.batch_size, config.irm.penalty, config.irm.after = 2, 5.0, 3
    objective = told.make_objective(config, 2, None)
    # Of logits (0, log 3) label 0 has the loss log(1 + 3^s) of the scale s, label 1 that less
    # s log 3: the derivatives at s = 1 are 3/4 log 3 and -1/4 log 3, the penalty is 10/16 log^2 3.
    logits = jnp.tile(jnp.array([0.0, np.log(3)]), (2, 1))
    scores = Scores(jnp.array([2.0, 4.0]), logits, jnp.array([0, 1]), jnp.array([0, 1]))
    early, late = (objective(State(None, steps=jnp.int32(steps)), scores) for steps in (2, 3))
    penalty = 10 / 16 * np.log(3) ** 2
    assert early.metrics["penalty"].total == pytest.approx(penalty, rel=1e-5)
    # The value to differentiate has twice the penalty, see `objectives.irm_penalty`.
    assert early.value == pytest.approx(3 + 2 * penalty, rel=1e-5)
    assert late.value == pytest.approx((3 + 5 * 2 * penalty) / 5, rel=1e-5)


@pytest.mark.parametrize("method", ["balanced", "group_dro"])
def test_rare_groups_are_drawn_like_others_and_the_worst_weighs_most(method):
    config = tiny.classifier(f"colored,{method}")
    config.batch_size, config.data.unbiased = 40, (0.3, 0.0)
    (system,) = build.build_seeds(config, generators.squares(), [0])
    groups = system.given["groups"]
    there = np.flatnonzero(groups.count)
    own = there // 10 == there % 10
    assert own.sum() == 10 and (~own).sum() > 2
    state = jax.jit(system.init)(jax.random.key(0))
    assert state.weights.shape == (100,)
    how = system.phases[0].step.__closure__[0].cell_contents
    batch, _ = jax.jit(how.draw)(state, jax.device_put(system.given), jax.random.key(0))
    drawn = np.bincount(batch.group, minlength=100)[there]
    assert set(drawn) == {40 // len(there), 40 // len(there) + 1}
    np.testing.assert_array_equal(batch.labels, batch.group // 10)
    losses = jnp.where(batch.group == there[-1], 2.0, 1.0)
    loss = how.objective(state, Scores(losses, None, batch.labels, batch.group))
    if method == "balanced":
        assert loss.value == pytest.approx(losses.mean()) and loss.weights is None
    else:
        ratio = loss.weights[there[-1]] / loss.weights[there[0]]
        assert ratio == pytest.approx(np.exp(0.05 * (2 - 1)), rel=1e-5)


def test_as_published_there_is_one_group_of_each_label():
    config = tiny.classifier("colored,group_dro")
    (system,) = build.build_seeds(config, generators.squares(), [0])
    there = np.flatnonzero(system.given["groups"].count)
    assert there.tolist() == [11 * label for label in range(10)]


def test_weights_and_steps_are_kept():
    config = tiny.classifier("colored,group_dro")
    (system,) = build.build_seeds(config, generators.squares(), [0])
    state = jax.jit(system.init)(jax.random.key(0))
    step = jax.jit(system.phases[0].step)
    after, metrics = step(state, jax.device_put(system.given), jax.random.key(0))
    assert after.steps == 1 and after.weights.sum() == pytest.approx(1, rel=1e-5)
    assert (after.weights != state.weights).any() and "worst_group_loss" in metrics


def test_images_of_ones_own_have_no_groups():
    config = tiny.classifier("folder,irm")
    with pytest.raises(ValueError, match="^method: 'irm' is not allowed with data.set 'folder'"):
        registry.validate(config)
