"""The state of stable features, and how the parameters that count are chosen along training."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from icm_jax.supervised import Learner, Parameters
from icm_jax.system import Phase, PyTree
from icm_jax.systems.stable_features.measures import worst_group
from icm_jax.systems.stable_features.model import ApplyBatched

Data = Mapping[str, Any]
# How good the present parameters of a state are
Score = Callable[["State", Data], float]


class Best(NamedTuple):
    """The best parameters that the current phase has had.

    Attributes:
      parameters: at the observation with the highest score, the latest of several.
      score: theirs, float32 `[]`; minus infinity before the first.
      step: when, int32 `[]`, steps of the phase.
      now: the score at the last observation, float32 `[]`.
    """

    parameters: Parameters
    score: jax.Array
    step: jax.Array
    now: jax.Array


class State(NamedTuple):
    """Everything that a run needs to go on.

    Attributes:
      learner: the network of the current phase.
      best: see `Best`.
      weights: of the groups, float32 `[G]`, where the method has them.
      steps: of the phase, int32 `[]`.
      found: what earlier phases found (see `tofu.StageResults`), or ().
    """

    learner: Learner
    best: Best
    weights: jax.Array
    steps: jax.Array
    found: PyTree


def init_state(
    parameters: Parameters,
    optimizer: optax.GradientTransformation,
    groups: int,
    found: PyTree = (),
) -> State:
    """The state at the beginning of a phase that starts from `parameters`."""
    # Never the same array twice: a state is donated.
    copy = jax.tree.map(jnp.copy, parameters)
    never = jnp.float32(-jnp.inf)
    return State(
        learner=Learner(parameters, optimizer.init(parameters.params)),
        best=Best(copy, never, jnp.int32(0), jnp.float32(-jnp.inf)),
        weights=jnp.full(groups, 1.0 / groups, jnp.float32),
        steps=jnp.int32(0),
        found=found,
    )


def selected_parameters(state: State) -> Parameters:
    """The parameters that count: the best where there was an observation, else the present ones."""
    observed = np.isfinite(state.best.score)
    return state.best.parameters if observed else state.learner.parameters


def with_selection(phase: Phase, score: Score, config: ConfigDict) -> Phase:
    """The phase that remembers its best parameters; as it is where the last ones are taken."""
    if config.selection.by == "last":
        return phase

    def observe(state: State, data: Data) -> State:
        now = np.float32(score(state, data))
        best = state.best._replace(now=now)
        # The later of equals has learned more.
        if now >= state.best.score:
            best = Best(state.learner.parameters, now, np.asarray(state.steps), now)
        return state._replace(best=best)

    return phase._replace(observe=observe)


def held_out_score(apply_batched: ApplyBatched, config: ConfigDict) -> Callable[..., float]:
    """`(parameters, data, index [M], group [M], groups) -> accuracy in the worst group`.

    `index`, int `[M]`, are images of the training data that were held out, judged by their given
    labels; `group`, int `[M]`, are their groups, 0 to `groups` - 1. NaN where there are none.
    """

    def score(parameters, data, index, group, groups) -> float:
        if not len(index):
            return float("nan")
        given = data["given"][index]
        outputs = apply_batched(parameters, data["images"][index], data["channel"][index])
        correct = outputs.logits.argmax(axis=1) == given
        return worst_group(correct, group, given, groups, config.selection.least)

    return score


def validation_score(apply_batched: ApplyBatched) -> Score:
    """Accuracy on the given labels of the validation images, which are as those to test on."""

    def score(state: State, data: Data) -> float:
        seen = data["validation"]
        outputs = apply_batched(state.learner.parameters, seen["images"], seen["channel"])
        return float((outputs.logits.argmax(axis=1) == seen["given"]).mean())

    return score
