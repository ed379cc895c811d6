"""TOFU: transfers what is unstable from a source task to a target task (Bao et al. 2022).

One run of these phases, each with one network in training:

- `environment_<i>`: a classifier of each source environment. Applied to the other environments it
  is right where what it learned holds there and mistaken where it does not: that parts the images.
- `robust`: a classifier of the source that is good for the worst of these parts.
- `embedding`: images of a label that were both right lie close, right and mistaken ones far apart,
  so that distance says how much two images differ in what is unstable.
- `target`: in that embedding every label's images of the target task form clusters; a classifier
  that starts from the robust one is trained for the worst of them.

Channels are seen in images alone, true labels nowhere.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from icm_jax.data import Groups
from icm_jax.evaluation.projection import principal_plane
from icm_jax.supervised import Parameters, mean_loss
from icm_jax.system import Phase
from icm_jax.systems.stable_features.embedding import Embedding, make_embedding_step
from icm_jax.systems.stable_features.method import Parts
from icm_jax.systems.stable_features.model import ApplyBatched, make_optimizer
from icm_jax.systems.stable_features.networks.features import HEAD
from icm_jax.systems.stable_features.partition import by_cluster, by_outcome, outcomes
from icm_jax.systems.stable_features.state import (
    Data,
    State,
    held_out_score,
    init_state,
    selected_parameters,
    validation_score,
    with_selection,
)
from icm_jax.systems.stable_features.steps import Draw, draw_from_all, draw_from_worst, make_step

_SHOWN, _COMPARED = 1000, 2000


class StageResults(NamedTuple):
    """What phases find for those after them; zeros, -1 and empty groups before.

    E source environments, N training images, L labels, K clusters of a label; a view is an image
    seen by the classifier of another environment, of which there are V = (E - 1) N.

    Attributes:
      predicted: int32 `[E, N]`, the label that the classifier of an environment gives an image of
        the source; -1 for others.
      outcomes: views by environment, classifier and whether it was right, `2 E (E - 1)` groups.
      pairs: likewise within each label, `2 E (E - 1) L` groups, right and mistaken in turns.
      robust: of the robust classifier.
      cluster: int32 `[N]`, label * K + cluster of an image of the target; -1 for others.
      clusters: the images that are trained on by that number.
      shown: int32 `[S]`, images of the target whose embedding is drawn.
      plane: float32 `[S, 2]`, where they lie.
    """

    predicted: jax.Array
    outcomes: Groups
    pairs: Groups
    robust: Parameters
    cluster: jax.Array
    clusters: Groups
    shown: jax.Array
    plane: jax.Array


class _Stage(NamedTuple):
    """A phase with what comes before and after it.

    Attributes:
      phase: without `begin`.
      optimizer: of its network.
      finish: `(state, data, key) -> StageResults`, from the state that it ends with; None for
        the last.
      start: `(found, parameters) -> parameters` that it starts from, given fresh ones.
    """

    phase: Phase
    optimizer: optax.GradientTransformation
    finish: Callable[[State, Data, jax.Array], StageResults] | None
    start: Callable[[StageResults, Parameters], Parameters] = lambda found, parameters: parameters


def init(parts: Parts, key: jax.Array) -> State:
    """The state before the first step."""
    config, task = parts.config, parts.task
    parameters = parts.model.init(key, parts.image_shape)
    environments, images = len(task.source), len(task.train.labels)
    views = (environments - 1) * images
    outcomes = 2 * environments * (environments - 1)
    target = int(np.isin(task.train.attributes["environment"], task.target).sum())
    shown = min(_SHOWN, target)
    found = StageResults(
        predicted=jnp.full((environments, images), -1, jnp.int32),
        outcomes=_empty(views, outcomes),
        pairs=_empty(views, outcomes * task.classes),
        robust=jax.tree.map(jnp.zeros_like, parameters),
        cluster=jnp.full(images, -1, jnp.int32),
        clusters=_empty(images, task.classes * config.tofu.clusters),
        shown=jnp.zeros(shown, jnp.int32),
        plane=jnp.zeros((shown, 2), jnp.float32),
    )
    optimizer = make_optimizer(config.optimizer, config.tofu.environments.steps)
    return init_state(parameters, optimizer, 1, found)


def phases(parts: Parts) -> tuple[Phase, ...]:
    """The phases of TOFU; see above."""
    stages = [_environment(parts, number) for number in range(len(parts.task.source))]
    # A phase without steps is skipped, and nothing would begin with it.
    stages += [_robust(parts)] if parts.config.tofu.robust.steps else []
    stages += [_embedding(parts), _target(parts)]
    begins = [None] + [
        functools.partial(_begin, parts, before, stage)
        for before, stage in zip(stages[:-1], stages[1:], strict=True)
    ]
    return tuple(
        stage.phase._replace(begin=begin) for stage, begin in zip(stages, begins, strict=True)
    )


def _empty(images: int, groups: int) -> Groups:
    return Groups(*(jnp.zeros(size, jnp.int32) for size in (images, groups, groups)))


def _begin(
    parts: Parts, before: _Stage, stage: _Stage, state: State, data: Data, key: jax.Array
) -> State:
    """Ends a stage and begins the next."""
    finish_key, init_key = jax.random.split(key)
    found = before.finish(state, data, finish_key)
    parameters = stage.start(found, parts.model.init(init_key, parts.image_shape))
    return init_state(parameters, stage.optimizer, 1, found)


def _phase(
    parts: Parts,
    name: str,
    steps: int,
    draw: Draw,
    size: int,
    score: Callable[[State, Data], float],
) -> tuple[Phase, optax.GradientTransformation]:
    """A phase that trains a classifier on batches of `size` images, and its optimizer."""
    optimizer = make_optimizer(parts.config.optimizer, steps)
    step = make_step(parts.model, optimizer, draw, mean_loss(size), parts.axis_name)
    return with_selection(Phase(name, steps, step), score, parts.config), optimizer


def _environment(parts: Parts, number: int) -> _Stage:
    """A classifier of one source environment, chosen by its accuracy on the others."""
    config, source = parts.config, parts.task.source
    others = [environment for environment in source if environment != source[number]]

    def score(state: State, data: Data) -> float:
        each = _COMPARED // len(others)
        index = [np.flatnonzero(data["environment"] == other)[:each] for other in others]
        index = np.concatenate(index)
        predicted = _predict(parts.apply_batched, state.learner.parameters, data, index)
        return float((predicted == data["given"][index]).mean())

    def finish(state: State, data: Data, key: jax.Array) -> StageResults:
        del key
        index = np.flatnonzero(np.isin(data["environment"], source))
        predicted = np.array(state.found.predicted)
        predicted[number, index] = _predict(
            parts.apply_batched, selected_parameters(state), data, index
        )
        found = state.found._replace(predicted=predicted)
        if number < len(source) - 1:
            return found
        return found._replace(**by_outcome(predicted, data, parts.task))

    size, steps = config.batch_size, config.tofu.environments.steps
    draw = draw_from_all(lambda state, data: data["environments"][number], size)
    return _Stage(*_phase(parts, f"environment_{number}", steps, draw, size, score), finish)


def _robust(parts: Parts) -> _Stage:
    """A classifier of the source for the worst of the outcomes, chosen by held-out images."""
    config, task = parts.config, parts.task
    by_groups = held_out_score(parts.apply_batched, config)

    def score(state: State, data: Data) -> float:
        outcome = outcomes(state.found.predicted, data, task)  # [E - 1, N]
        view, index = np.nonzero((outcome >= 0) & data["held_out"][None])
        groups = len(state.found.outcomes.count)
        return by_groups(state.learner.parameters, data, index, outcome[view, index], groups)

    def finish(state: State, data: Data, key: jax.Array) -> StageResults:
        del data, key
        return state.found._replace(robust=selected_parameters(state))

    draw = _worst(parts, lambda found: found.outcomes)
    size, steps = config.tofu.batch_size, config.tofu.robust.steps
    return _Stage(*_phase(parts, "robust", steps, draw, size, score), finish)


def _embedding(parts: Parts) -> _Stage:
    """The embedding of what is unstable; its last parameters count."""
    settings, task = parts.config.tofu, parts.task
    steps, size = settings.embedding.steps, settings.embedding.batch_size
    optimizer = make_optimizer(parts.config.optimizer, steps)
    step = make_embedding_step(
        Embedding(parts.model, optimizer, size, settings.margin, parts.axis_name)
    )

    def finish(state: State, data: Data, key: jax.Array) -> StageResults:
        index = np.flatnonzero(np.isin(data["environment"], task.target))
        images, channel = data["images"][index], data["channel"][index]
        features = parts.apply_batched(state.learner.parameters, images, channel).features
        seed = np.asarray(jax.random.key_data(key))
        made = by_cluster(features, index, data, task, settings.clusters, seed)
        shown = len(state.found.shown)
        return state.found._replace(
            shown=index[:shown].astype(np.int32), plane=principal_plane(features[:shown]), **made
        )

    return _Stage(Phase("embedding", steps, step), optimizer, finish)


def _target(parts: Parts) -> _Stage:
    """The classifier that is wanted, chosen by the worst cluster of held-out images."""
    config = parts.config
    by_groups = held_out_score(parts.apply_batched, config)

    def worst_cluster(state: State, data: Data) -> float:
        cluster = np.asarray(state.found.cluster)
        index = np.flatnonzero(data["held_out"] & (cluster >= 0))
        groups = len(state.found.clusters.count)
        return by_groups(state.learner.parameters, data, index, cluster[index], groups)

    def start(found: StageResults, parameters: Parameters) -> Parameters:
        if not config.tofu.robust.steps:
            return parameters
        # The labels of the target may be others: the last layer starts anew.
        params = {**found.robust.params, HEAD: parameters.params[HEAD]}
        return found.robust._replace(params=params)

    by_validation = config.selection.by == "validation"
    score = validation_score(parts.apply_batched) if by_validation else worst_cluster
    draw = _worst(parts, lambda found: found.clusters)
    size = config.tofu.batch_size
    return _Stage(*_phase(parts, "target", config.steps, draw, size, score), None, start)


def _worst(parts: Parts, groups: Callable[[StageResults], Groups]) -> Draw:
    size = parts.config.tofu.batch_size
    return draw_from_worst(
        parts.model, lambda state, data: groups(state.found), size, parts.axis_name
    )


def _predict(
    apply_batched: ApplyBatched, parameters: Parameters, data: Data, index: np.ndarray
) -> np.ndarray:
    """The labels of training images, int32 `[M]`."""
    outputs = apply_batched(parameters, data["images"][index], data["channel"][index])
    return outputs.logits.argmax(axis=1).astype(np.int32)
